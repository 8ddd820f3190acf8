import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInProcessBus } from '@flotilla/bus';
import { silentLogger } from '@flotilla/observe';
import { FakeClock } from '@flotilla/runtime';
import { growthOf } from '@flotilla/testing';
import { afterAll, describe, expect, it } from 'vitest';
import type { Checker } from '../../check/checking.ts';
import { perform } from '../../check/perform.ts';
import { restoreDocuments } from '../../check/restore.ts';
import { openSqliteStore } from '../../store/sqlite.ts';
import { ConfigWriter } from '../../write/config-writer.ts';
import { attachSource } from '../attached-source.ts';
import { directorySource } from './directory-source.ts';

const scratch = mkdtempSync(join(tmpdir(), 'galley-growth-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** What the worker does, where it is counted. */
const checker: Pick<Checker, 'decodeFile'> = {
  decodeFile: (file, defaultNamespace) =>
    restoreDocuments(perform({ kind: 'file', documents: [file], defaultNamespace })),
};

const account = (name: string, label: string): string =>
  `{apiVersion: v1, kind: ServiceAccount, metadata: {name: ${name}, labels: {l: ${label}}}}\n---\n`;

type Layout = (size: number, label: string) => ReadonlyMap<string, string>;
const LAYOUTS: readonly [string, Layout][] = [
  [
    'files of one directory',
    (size, label) => new Map(Array.from({ length: size }, (_, at) => [`${at}.yaml`, account(`a${at}`, label)])),
  ],
  [
    'documents of one file',
    (size, label) => new Map([['a.yaml', Array.from({ length: size }, (_, at) => account(`a${at}`, label)).join('')]]),
  ],
  [
    'directories, and files that say the same as others',
    (size, label) => new Map(Array.from({ length: size }, (_, at) => [`d${at}/a.yaml`, account('a', label)])),
  ],
  [
    'files that are broken',
    (size, label) => new Map(Array.from({ length: size }, (_, at) => [`${at}.yaml`, `kind: [${label}`])),
  ],
];

describe('what a watched directory costs', () => {
  it.each(LAYOUTS)('is twice as much for twice as many %s', async (_what, layout) => {
    const growth = await growthOf(60, (size) => async () => {
      const directory = mkdtempSync(join(scratch, 'd-'));
      const write = (label: string): void => {
        for (const [file, text] of layout(size, label)) {
          mkdirSync(join(directory, file, '..'), { recursive: true });
          writeFileSync(join(directory, file), text);
        }
      };
      const store = openSqliteStore({ path: ':memory:' });
      const writer = await ConfigWriter.open({ store, bus: createInProcessBus(), logger: silentLogger });
      write('x');
      const about = { clock: new FakeClock(), logger: silentLogger };
      const source = await attachSource(
        directorySource({ directory, defaultNamespace: 'default', checker, ...about }),
        {
          writer,
          ...about,
        },
      );
      // Nothing changed, everything changed, and everything is gone.
      await source.rescan();
      write('y');
      await source.rescan();
      for (const file of layout(size, '').keys()) rmSync(join(directory, file));
      await source.rescan();
      expect(writer.set.size).toBe(0);
      await source.close();
      await store.close();
    });
    expect(growth).toBeLessThan(3);
  });
});
