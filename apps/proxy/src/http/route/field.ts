import { FlotillaError } from '@flotilla/runtime';
import type { FractionalPercent } from '@flotilla/wire/envoy/type/v3/percent_pb.js';
import type { DataSource } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import { readFileSync } from 'node:fs';

/** Throws `invalid` with the field's path before the reason; the configuration is then refused (NACK). */
export function refuse(path: string, reason: string, hint?: string): never {
  throw new FlotillaError('invalid', `${path}: ${reason}`, hint === undefined ? {} : { hint });
}

/** Refuses a field that asks for what this proxy does not do, when it is set. */
export function refuseWhen(isSet: boolean, path: string): void {
  if (isSet) refuse(path, 'is not supported');
}

/** Runs `compile` and puts the field's path before what it throws. */
export function inField<T>(path: string, compile: () => T): T {
  try {
    return compile();
  } catch (error) {
    throw FlotillaError.from(error, 'invalid').within(path);
  }
}

const DENOMINATORS: readonly number[] = [100, 10_000, 1_000_000];

/** The fraction as a probability in [0,1]. */
export function fractionOf(percent: FractionalPercent | undefined): number {
  return percent === undefined ? 0 : Math.min(1, percent.numerator / denominatorOf(percent));
}

/** 100, 10,000 or a million. */
export function denominatorOf(percent: FractionalPercent | undefined): number {
  return DENOMINATORS[percent?.denominator ?? 0] ?? 100;
}

/** The bytes of a data source; files and environment variables are read now. Null when it is not set. */
export function readDataSource(source: DataSource | undefined, path: string): Buffer | null {
  switch (source?.specifier.case) {
    case undefined:
      return null;
    case 'inlineString':
      return Buffer.from(source.specifier.value, 'utf8');
    case 'inlineBytes':
      return Buffer.from(source.specifier.value);
    case 'filename': {
      const { value } = source.specifier;
      return inField(`${path}.filename`, () => readFileSync(value));
    }
    case 'environmentVariable': {
      const name = source.specifier.value;
      // The configuration itself names the variable, so this is the edge where it is read.
      const text = process.env[name];
      if (text === undefined) refuse(`${path}.environment_variable`, `${name} is not set`);
      return Buffer.from(text, 'utf8');
    }
  }
}
