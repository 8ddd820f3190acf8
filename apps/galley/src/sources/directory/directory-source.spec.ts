import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createInProcessBus } from '@flotilla/bus';
import { describeKey } from '@flotilla/model';
import { silentLogger } from '@flotilla/observe';
import { FakeClock, systemClock } from '@flotilla/runtime';
import { openSqliteStore } from '../../store/sqlite.ts';
import { openChecker } from '../../check/checker.ts';
import type { Checker } from '../../check/checking.ts';
import { applyDocuments } from '../../write/apply.ts';
import { ConfigWriter } from '../../write/config-writer.ts';
import { deleteResources } from '../../write/delete.ts';
import { attachSource } from '../attached-source.ts';
import type { AttachedSource } from '../attached-source.ts';
import { directorySource } from './directory-source.ts';
import { watchDirectory } from './watch.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const account = (name: string, label = 'x'): string =>
  `apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: ${name}\n  labels: {l: ${label}}\n`;
const virtualService = (subset: string): string =>
  `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: reviews}\nspec:\n  hosts: [reviews]\n  http:\n  - route:\n    - destination: {host: reviews, subset: ${subset}}\n`;
const destinationRule = (...subsets: readonly string[]): string =>
  `apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: reviews}\nspec:\n  host: reviews\n  subsets: [${subsets.map((name) => `{name: ${name}, labels: {version: ${name}}}`).join(', ')}]\n`;

interface World {
  readonly directory: string;
  readonly writer: ConfigWriter;
  readonly source: AttachedSource;
  write(file: string, text: string): void;
  remove(file: string): void;
  /** Rescans, and tells the set as `Kind ns/name` and the findings as `file:line message`. */
  scan(): Promise<{ readonly set: readonly string[]; readonly findings: readonly string[] }>;
  apply(yaml: string): Promise<unknown>;
}

async function world(
  files: Readonly<Record<string, string>>,
  reading: Pick<Checker, 'decodeFile'> = checker,
): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'galley-directory-'));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  const write = (file: string, text: string): void => {
    mkdirSync(join(directory, file, '..'), { recursive: true });
    writeFileSync(join(directory, file), text);
  };
  for (const [file, text] of Object.entries(files)) write(file, text);
  const store = openSqliteStore({ path: ':memory:' });
  const writer = await ConfigWriter.open({ store, bus: createInProcessBus(), logger: silentLogger });
  // A clock that stands still: nothing is read but by `scan`.
  const clock = new FakeClock();
  const logger = silentLogger;
  const source = await attachSource(
    directorySource({ directory, defaultNamespace: 'default', checker: reading, clock, logger }),
    { writer, clock, logger },
  );
  cleanups.push(() => store.close(), () => source.close()); // prettier-ignore
  return {
    directory,
    writer,
    source,
    write,
    remove: (file) => rmSync(join(directory, file)),
    async scan() {
      await source.rescan();
      const set = [...writer.set.entries()].map(({ resource }) => describeKey(resource.key)).sort();
      const findings = source
        .findings()
        .map(({ origin, message }) => `${origin.source.slice(directory.length + 1)}:${origin.line} ${message}`);
      return { set, findings };
    },
    apply: (yaml) =>
      applyDocuments(writer, clock, {
        documents: [{ source: 'api', yaml }],
        defaultNamespace: 'default',
        force: false,
        expectedVersion: null,
        scope: 'anything',
        checker,
        right: 'own',
      }),
  };
}

const checker = openChecker({ clock: new FakeClock(), logger: silentLogger });

const labelOf = (w: World, name: string): string | undefined =>
  w.writer.set.get({ group: '', kind: 'ServiceAccount', namespace: 'default', name })?.resource.labels['l'];

describe('a directory source', () => {
  it('reads YAML and JSON at every depth as one version, and passes over the rest', async () => {
    const w = await world({
      'a.yaml': account('a'),
      'deep/er/b.yml': account('b'),
      'c.json': '{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"c"}}',
      'README.md': 'not: [yaml',
      '.hidden.yaml': account('hidden'),
      '.git/config.yaml': account('git'),
      'settings.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n',
    });
    symlinkSync(join(w.directory, 'a.yaml'), join(w.directory, '..data'));
    expect(await w.scan()).toEqual({
      set: ['ServiceAccount default/a', 'ServiceAccount default/b', 'ServiceAccount default/c'],
      findings: [],
    });
    expect(w.writer.version).toBe(1);
    expect(w.source.ignored()).toEqual(['v1 ConfigMap default/settings']);
  });

  it('makes no version when nothing changed', async () => {
    const w = await world({ 'a.yaml': account('a') });
    w.write('a.yaml', `# a comment\n${account('a')}`);
    await w.scan();
    expect(w.writer.version).toBe(1);
  });

  it('takes in changes, and deletes what a file or a deleted file names no more', async () => {
    const w = await world({ 'a.yaml': `${account('a')}---\n${account('b')}`, 'c.yaml': account('c') });
    w.write('a.yaml', account('a', 'y'));
    w.remove('c.yaml');
    expect((await w.scan()).set).toEqual(['ServiceAccount default/a']);
    expect(labelOf(w, 'a')).toBe('y');
    expect(w.writer.version).toBe(2);
  });

  it('keeps the last good version of a resource whose document is broken, and takes in the others', async () => {
    const w = await world({ 'a.yaml': `${account('a')}---\n${account('b')}` });
    w.write('a.yaml', `${account('a', '1.5')}---\n${account('b', 'y')}---\n${account('c')}`);
    expect(await w.scan()).toEqual({
      set: ['ServiceAccount default/a', 'ServiceAccount default/b', 'ServiceAccount default/c'],
      findings: ['a.yaml:5 must be a text, but is the number 1.5'],
    });
    expect([labelOf(w, 'a'), labelOf(w, 'b')]).toEqual(['x', 'y']);
  });

  it('keeps everything of a file that is no YAML, until it is right again', async () => {
    const w = await world({ 'a.yaml': `${account('a')}---\n${account('b')}` });
    w.write('a.yaml', 'kind: [\n');
    const broken = await w.scan();
    expect(broken.set).toEqual(['ServiceAccount default/a', 'ServiceAccount default/b']);
    expect(broken.findings[0]).toMatch(/^a\.yaml:\d+ this is not YAML/);
    w.write('a.yaml', account('b'));
    expect(await w.scan()).toEqual({ set: ['ServiceAccount default/b'], findings: [] });
  });

  it.each(['', '\n', '  \n\n'])(
    'keeps what a file had that has nothing in it any more, and says so: %j',
    async (nothing) => {
      const w = await world({ 'a.yaml': `${account('a')}---\n${account('b')}`, 'never.yaml': '' });
      w.write('a.yaml', nothing);
      expect(await w.scan()).toEqual({
        set: ['ServiceAccount default/a', 'ServiceAccount default/b'],
        findings: ['a.yaml:0 the file is empty: the 2 resources that it had before stay in force'],
      });
      w.write('a.yaml', '# nothing any more\n');
      expect(await w.scan()).toEqual({ set: [], findings: [] });
    },
  );

  it('keeps a resource that moved to another file, even when that one breaks', async () => {
    const w = await world({ 'a.yaml': account('a') });
    w.remove('a.yaml');
    w.write('b.yaml', account('a'));
    await w.scan();
    w.write('b.yaml', 'a: [\n');
    expect((await w.scan()).set).toEqual(['ServiceAccount default/a']);
  });

  it('lets the first file have a resource that two files name', async () => {
    const w = await world({ 'a.yaml': account('a', 'first'), 'b.yaml': account('a', 'second') });
    const { findings } = await w.scan();
    expect(labelOf(w, 'a')).toBe('first');
    expect(findings).toEqual([
      `b.yaml:4 the resource is written before, at ${w.directory}/a.yaml:1:1, and that one counts`,
    ]);
  });

  it('holds back a route to a missing subset until the subset is there', async () => {
    const w = await world({ 'vs.yaml': virtualService('v1') });
    expect((await w.scan()).findings).toEqual([
      'vs.yaml:8 no DestinationRule for reviews.default.svc.cluster.local defines the subset "v1"',
    ]);
    expect(w.writer.version).toBe(0);
    w.write('dr.yaml', destinationRule('v1'));
    expect(await w.scan()).toEqual({
      set: ['DestinationRule default/reviews', 'VirtualService default/reviews'],
      findings: [],
    });
  });

  it('holds back a rule that would take a subset away from a route', async () => {
    const w = await world({ 'vs.yaml': virtualService('v1'), 'dr.yaml': destinationRule('v1') });
    w.write('dr.yaml', destinationRule('v2'));
    w.write('other.yaml', account('other'));
    const { set, findings } = await w.scan();
    expect(set).toContain('ServiceAccount default/other');
    expect(findings).toHaveLength(1);
    const rule = { group: 'networking.istio.io', kind: 'DestinationRule', namespace: 'default', name: 'reviews' };
    expect(w.writer.set.get(rule)?.typed.spec).toMatchObject({ subsets: [{ name: 'v1' }] });
    w.write('vs.yaml', virtualService('v2'));
    expect((await w.scan()).findings).toEqual([]);
    expect(w.writer.set.get(rule)?.typed.spec).toMatchObject({ subsets: [{ name: 'v2' }] });
  });

  it('leaves alone what came through the API', async () => {
    const w = await world({ 'a.yaml': account('a') });
    await w.apply(account('other'));
    w.write('a.yaml', account('b'));
    expect((await w.scan()).set).toEqual(['ServiceAccount default/b', 'ServiceAccount default/other']);
  });

  it('lets a change through the API stand until the file changes', async () => {
    const w = await world({ 'a.yaml': account('a', 'file') });
    await w.apply(account('a', 'api'));
    await w.scan();
    expect(labelOf(w, 'a')).toBe('api');
    w.write('a.yaml', account('a', 'file-again'));
    await w.scan();
    expect(labelOf(w, 'a')).toBe('file-again');
  });

  it('lets a deletion through the API stand until the file changes', async () => {
    const w = await world({ 'a.yaml': account('a') });
    const key = { group: '', kind: 'ServiceAccount', namespace: 'default', name: 'a' };
    const { report } = await deleteResources(w.writer, {
      keys: [key],
      documents: [],
      defaultNamespace: 'default',
      ignoreMissing: false,
      force: false,
      isOwnPart: false,
      ifAnnotations: {},
      scope: 'anything',
      watchedAt: (each) => w.source.originOf(each),
      checker,
      right: 'own',
    });
    expect(report.findings).toMatchObject([
      {
        severity: 'warning',
        code: 'FLT0007',
        origin: { source: join(w.directory, 'a.yaml'), line: 1 },
        message: `comes from ${join(w.directory, 'a.yaml')}:1:1, which is watched: it comes back when that file changes`,
      },
    ]);
    expect((await w.scan()).set).toEqual([]);
    w.write('a.yaml', account('a', 'new'));
    expect((await w.scan()).set).toEqual(['ServiceAccount default/a']);
  });

  it('keeps everything when the directory itself goes away', async () => {
    const w = await world({ 'a.yaml': account('a') });
    rmSync(w.directory, { recursive: true });
    expect((await w.scan()).set).toEqual(['ServiceAccount default/a']);
    expect(w.source.findings()[0]?.message).toMatch(/^the directory cannot be taken in: ENOENT/);
  });

  it('refuses to start without the directory', async () => {
    const w = await world({});
    const about = { clock: systemClock, logger: silentLogger };
    const missing = directorySource({
      directory: join(w.directory, 'missing'),
      defaultNamespace: 'default',
      checker,
      ...about,
    });
    await expect(attachSource(missing, { writer: w.writer, ...about })).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('cannot read the configuration directory'),
    });
  });
});

describe('a directory with a file that takes long to read', () => {
  const changed = account('a', 'y');
  async function held() {
    const gate = Promise.withResolvers<void>();
    const asked: string[] = [];
    const decodeFile: typeof checker.decodeFile = async (file, namespace, signal) => {
      asked.push(file.yaml);
      if (file.yaml === changed) {
        await Promise.race([gate.promise, new Promise((resolve) => signal.addEventListener('abort', resolve))]);
      }
      return checker.decodeFile(file, namespace, signal);
    };
    const w = await world({ 'a.yaml': account('a') }, { decodeFile });
    w.write('a.yaml', changed);
    const scanning = w.scan();
    await expect.poll(() => asked).toContain(changed);
    return { w, gate, asked, scanning };
  }

  it('holds up no other write, and keeps what there was until then', async () => {
    const { w, gate, scanning } = await held();
    await w.apply(account('b'));
    expect([labelOf(w, 'a'), labelOf(w, 'b')]).toEqual(['x', 'x']);
    gate.resolve();
    await scanning;
    expect(labelOf(w, 'a')).toBe('y');
  });

  it('is read once more for all that changes meanwhile, and what is last counts', async () => {
    const { w, gate, asked, scanning } = await held();
    w.write('a.yaml', account('a', 'z'));
    const later = [w.scan(), w.scan(), w.scan()];
    gate.resolve();
    await Promise.all([scanning, ...later]);
    expect(labelOf(w, 'a')).toBe('z');
    expect(asked).toEqual([account('a'), changed, account('a', 'z')]);
    expect(w.writer.version).toBe(3);
  });

  it('is closed at once', async () => {
    const { w, scanning } = await held();
    await w.source.close();
    await scanning;
    expect(labelOf(w, 'a')).toBe('x');
    expect(w.source.findings()).toEqual([]);
  });
});

describe('watching a directory', () => {
  const timing = { quietMs: 50, maxDelayMs: 500, lookMs: 500, pollMs: 5_000 };

  it('tells of a change after a quiet time, by the operating system’s word', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'galley-watch-'));
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const options = { directory, clock: systemClock, logger: silentLogger, onChange: () => resolve(undefined) };
    const stop = watchDirectory({ ...options, timing: { ...timing, quietMs: 1, pollMs: 60_000 } });
    cleanups.push(() => rmSync(directory, { recursive: true, force: true }), stop); // prettier-ignore
    writeFileSync(join(directory, 'a.yaml'), account('a'));
    await promise;
  });

  it('asks again from time to time, told or not, and never after it was stopped', () => {
    const directory = mkdtempSync(join(tmpdir(), 'galley-watch-'));
    cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
    const clock = new FakeClock();
    let calls = 0;
    const stop = watchDirectory({ directory, clock, logger: silentLogger, timing, onChange: () => (calls += 1) });
    clock.advance(4_999);
    expect(calls).toBe(0);
    clock.advance(10_001);
    expect(calls).toBe(3);
    stop();
    clock.advance(60_000);
    expect(calls).toBe(3);
    expect(clock.pendingCount).toBe(0);
  });

  /** A directory that is watched, and not polled; `told` waits for the next word of it. */
  function watched(directory: string): { told(): Promise<undefined> } {
    let next = Promise.withResolvers<undefined>();
    const onChange = (): void => {
      next.resolve(undefined);
      next = Promise.withResolvers();
    };
    const quick = { quietMs: 1, maxDelayMs: 100, lookMs: 10, pollMs: 60_000 };
    cleanups.push(watchDirectory({ directory, clock: systemClock, logger: silentLogger, onChange, timing: quick }));
    return { told: () => next.promise };
  }
  const made = (...names: readonly string[]): string => {
    const root = mkdtempSync(join(tmpdir(), 'galley-watch-'));
    cleanups.push(() => rmSync(root, { recursive: true, force: true }));
    for (const name of names) mkdirSync(join(root, name), { recursive: true });
    return root;
  };

  it('hears of a ConfigMap that is exchanged by its link', async () => {
    const root = made('..1', '..2');
    symlinkSync('..1', join(root, '..data'));
    symlinkSync('..data/a.yaml', join(root, 'a.yaml'));
    const { told } = watched(root);
    const word = told();
    symlinkSync('..2', join(root, '..new'));
    renameSync(join(root, '..new'), join(root, '..data'));
    await word;
  });

  it('hears of a directory that is a link and leads elsewhere now, and of changes there', async () => {
    const root = made('1', '2');
    symlinkSync('1', join(root, 'current'));
    const { told } = watched(join(root, 'current'));
    let word = told();
    symlinkSync('2', join(root, 'next'));
    renameSync(join(root, 'next'), join(root, 'current'));
    await word;
    word = told();
    writeFileSync(join(root, '2/a.yaml'), account('a'));
    await word;
  });

  it.each([
    ['the directory', ''],
    ['one below it', '/below'],
  ])('hears of changes after %s was moved away and another one came in its place', async (_, below) => {
    const root = made('config/below');
    const path = join(root, `config${below}`);
    const { told } = watched(join(root, 'config'));
    let word = told();
    renameSync(path, join(root, 'away'));
    await word;
    word = told();
    mkdirSync(path);
    await word;
    word = told();
    writeFileSync(join(path, 'a.yaml'), account('a'));
    await word;
    word = told();
    rmSync(path, { recursive: true });
    renameSync(join(root, 'away'), path);
    await word;
  });
});
