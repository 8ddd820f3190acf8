import { createClient } from '@connectrpc/connect';
import { createInProcessBus } from '@flotilla/bus';
import { silentLogger } from '@flotilla/observe';
import { FakeClock } from '@flotilla/runtime';
import { growthOf } from '@flotilla/testing';
import { GalleyService } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { afterEach, describe, expect, it } from 'vitest';
import { startGalley } from '../start.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const account = (name: string): string => `{apiVersion: v1, kind: ServiceAccount, metadata: {name: ${name}}}\n---\n`;
const SIZE = 200;

/** A galley with as many resources, each of a version of its own. */
async function galleyOf(size: number) {
  const galley = await startGalley({
    store: { kind: 'sqlite', path: ':memory:' },
    bus: createInProcessBus(),
    directories: [],
    access: { read: () => undefined, write: () => 'anything' },
    logger: silentLogger,
    clock: new FakeClock(),
  });
  cleanups.push(() => galley.close());
  const client = createClient(GalleyService, galley.transport);
  for (let at = 0; at < size; at++) await client.apply({ documents: [{ source: 'f', yaml: account(`a${at}`) }] });
  return client;
}
type Client = Awaited<ReturnType<typeof galleyOf>>;

const CALLS: readonly [string, (client: Client, size: number) => Promise<void>][] = [
  ['List of all', async (client, size) => expect((await client.list({})).resources).toHaveLength(size)],
  [
    'List of a kind and a namespace',
    async (client, size) =>
      expect((await client.list({ kind: 'ServiceAccount', namespace: 'default' })).resources).toHaveLength(size),
  ],
  [
    'ListChanges from the beginning',
    async (client, size) => expect((await client.listChanges({ sinceVersion: 1n })).changes).toHaveLength(size - 1),
  ],
  [
    'a Watch that begins with everything',
    async (client, size) => {
      for await (const { changes } of client.watch({})) {
        expect(changes).toHaveLength(size);
        break;
      }
    },
  ],
  [
    'a Watch that hears of changes one by one',
    async (client, size) => {
      // What there is by now: each time something new is written.
      const { version } = await client.list({ kind: 'Service' });
      let heard = 0;
      for await (const { changes } of client.watch({ sinceVersion: version })) {
        heard += changes.length;
        if (heard === size / 2) break;
        await client.apply({ documents: [{ source: 'f', yaml: account(`new-${version}-${heard}`) }] });
      }
    },
  ],
];

describe('what galley does for a reader', () => {
  it.each(CALLS)('is twice as much for twice as many resources: %s', async (_what, call) => {
    const sizes = new Map([
      [SIZE, await galleyOf(SIZE)],
      [SIZE * 2, await galleyOf(SIZE * 2)],
    ]);
    const growth = await growthOf(SIZE, (size) => async () => {
      const client = sizes.get(size);
      if (client === undefined) throw new Error(`no galley of ${size}`);
      await call(client, size);
    });
    expect(growth).toBeLessThan(3);
  });
});
