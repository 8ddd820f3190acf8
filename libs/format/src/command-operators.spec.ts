import { checkFormat, COMMAND_OPERATORS } from '@flotilla/envoy/refusals';
import { describe, expect, it } from 'vitest';
import { compileFormat } from './header-formatter.ts';
import { TEST_SURROUNDINGS } from './testing.ts';

/** An argument for those that need one of a certain form. */
const ARGUMENTS: Readonly<Record<string, string>> = {
  METADATA: 'ROUTE:a:b',
  COMMON_DURATION: 'DS_RX_BEG:US_TX_BEG:us',
};

describe('an operator that the control plane accepts in a header', () => {
  it.each([...COMMAND_OPERATORS].map(([name, { argument }]) => [name, argument] as const))('%s', (name, argument) => {
    const format = argument === 'needed' ? `%${name}(${ARGUMENTS[name] ?? 'x-a'})%` : `%${name}%`;
    expect(() => checkFormat(format)).not.toThrow();
    expect(() => compileFormat(format, TEST_SURROUNDINGS)).not.toThrow();
  });
});
