import { join } from 'node:path';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { withPeer } from '@flotilla/testing';
import { answerOf, TABLE } from './testing/table.ts';

async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, 'testing/in-browser.ts')],
    bundle: true,
    platform: 'browser',
    format: 'iife',
    write: false,
    // Of modules that nothing here uses, and so are left out: what is left of them is found below.
    external: ['node:*'],
    logLevel: 'error',
  });
  return outputFiles[0]?.text ?? '';
}

describe('where it goes', () => {
  it.each(TABLE.map((row) => [row.name, row] as const))('%s', (_, row) => {
    expect(answerOf(row)).toEqual(row.expected);
  });

  it('is decided without anything of Node', async () => {
    const text = await bundle();
    // Messages are read with a switch that is an environment variable, where there are any.
    expect(text.match(/["']node:\w+["']|\bBuffer\.\w+|\bprocess\.(?!env\b)\w+/g)).toBeNull();
  });
});

withPeer('chromium', (program) => {
  it('is decided in a browser as it is in Node', async () => {
    const browser = await chromium.launch({ executablePath: program, args: ['--no-sandbox'] });
    try {
      const page = await browser.newPage();
      await page.addScriptTag({ content: await bundle() });
      const answers: unknown = await page.evaluate('answers()');
      expect(answers).toEqual(TABLE.map((row) => [row.name, row.expected]));
    } finally {
      await browser.close();
    }
  });
});
