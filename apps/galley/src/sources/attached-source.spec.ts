import { afterEach, expect, it } from 'vitest';
import { createInProcessBus } from '@flotilla/bus';
import { describeKey, formatKey } from '@flotilla/model';
import { silentLogger } from '@flotilla/observe';
import { FakeClock } from '@flotilla/runtime';
import { decodeDocuments } from '../decode/decode-documents.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { ConfigWriter } from '../write/config-writer.ts';
import { attachSource } from './attached-source.ts';
import type { ConfigSource, SourceState } from './source.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A source that is neither files nor text that anybody wrote: a list of names of accounts. */
class AccountSource implements ConfigSource {
  readonly kind = 'register';
  readonly place = 'of accounts';
  readonly owner = 'register:accounts';
  readonly hint = 'Open the register.';
  names: readonly string[] | null;
  #onChange: (() => void) | null = null;

  constructor(...names: readonly string[]) {
    this.names = names;
  }

  read(): Promise<SourceState> {
    if (this.names === null) return Promise.reject(new Error('the register is shut'));
    const documents = this.names.map((name) => ({
      source: `register/${name}`,
      yaml: `{apiVersion: v1, kind: ServiceAccount, metadata: {name: ${name}}}`,
    }));
    const { candidates, findings } = decodeDocuments(documents, 'default');
    return Promise.resolve({
      candidates: new Map(candidates.map((candidate) => [formatKey(candidate.content.key), candidate])),
      refused: new Set(),
      unclear: new Set(),
      empty: new Set(),
      findings,
      ignored: [],
    });
  }

  watch(onChange: () => void): () => void {
    this.#onChange = onChange;
    return () => (this.#onChange = null);
  }

  get isWatched(): boolean {
    return this.#onChange !== null;
  }
}

async function attach(source: ConfigSource) {
  const store = openSqliteStore({ path: ':memory:' });
  cleanups.push(() => store.close());
  const writer = await ConfigWriter.open({ store, bus: createInProcessBus(), logger: silentLogger });
  const attached = await attachSource(source, { writer, clock: new FakeClock(), logger: silentLogger });
  cleanups.push(() => attached.close());
  const held = () => [...writer.set.entries()].map(({ resource }) => describeKey(resource.key)).sort();
  return { attached, writer, held };
}

it('any source is taken in: what it asks for comes, changes and goes, with its origin', async () => {
  const source = new AccountSource('a', 'b');
  const { attached, held, writer } = await attach(source);
  expect(held()).toEqual(['ServiceAccount default/a', 'ServiceAccount default/b']);
  source.names = ['b'];
  await attached.rescan();
  expect(held()).toEqual(['ServiceAccount default/b']);
  const [entry] = writer.set.entries();
  expect(entry?.owner).toBe('register:accounts');
  expect(attached.originOf(entry?.resource.key ?? expect.fail('nothing'))?.source).toBe('register/b');
});

it('a source that cannot be read keeps what it had, and says so', async () => {
  const source = new AccountSource('a');
  const { attached, held } = await attach(source);
  source.names = null;
  await attached.rescan();
  expect(held()).toEqual(['ServiceAccount default/a']);
  expect(attached.findings().map(({ origin, message }) => [origin?.source, message])).toEqual([
    ['of accounts', 'the register cannot be taken in: the register is shut'],
  ]);
  source.names = ['c'];
  await attached.rescan();
  expect(attached.findings()).toEqual([]);
});

it('a source that cannot be read at the start is an error with its own hint', async () => {
  const source = new AccountSource();
  source.names = null;
  await expect(attach(source)).rejects.toMatchObject({
    code: 'invalid',
    message: 'cannot read the configuration register of accounts: the register is shut',
    hint: 'Open the register.',
  });
});

it('a source is watched until it is let go of', async () => {
  const source = new AccountSource('a');
  const { attached } = await attach(source);
  expect(source.isWatched).toBe(true);
  await attached.close();
  expect(source.isWatched).toBe(false);
});
