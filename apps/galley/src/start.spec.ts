import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import type { Client } from '@connectrpc/connect';
import { createInProcessBus } from '@flotilla/bus';
import type { VersionAnnouncement } from '@flotilla/bus';
import { silentLogger } from '@flotilla/observe';
import { createRpcTransport, serveRpc } from '@flotilla/rpc';
import { FakeClock, systemClock } from '@flotilla/runtime';
import {
  AppliedResource_Outcome as Outcome,
  GalleyService,
  ValidationReportSchema,
} from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { afterEach, describe, expect, it } from 'vitest';
import { startGalley } from './start.ts';
import type { Galley, GalleyOptions } from './start.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface World {
  readonly galley: Galley;
  readonly client: Client<typeof GalleyService>;
  readonly announced: VersionAnnouncement[];
}

async function start(options: Partial<GalleyOptions> = {}): Promise<World> {
  const bus = createInProcessBus();
  const announced: VersionAnnouncement[] = [];
  await bus.subscribe((announcement) => announced.push(announcement));
  const galley = await startGalley({
    store: { kind: 'sqlite', path: ':memory:' },
    bus,
    directories: [],
    access: { read: () => undefined, write: () => 'anything' },
    logger: silentLogger,
    clock: new FakeClock(),
    ...options,
  });
  cleanups.push(() => galley.close());
  return { galley, client: createClient(GalleyService, galley.transport), announced };
}

const docs = (...yaml: readonly string[]): { source: string; yaml: string }[] => [
  { source: 'mesh.yaml', yaml: yaml.join('\n---\n') },
];
const service = 'apiVersion: v1\nkind: Service\nmetadata: {name: reviews}\nspec: {ports: [{name: http, port: 9080}]}';
const rule = (subset = 'v1'): string =>
  `apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: reviews}\nspec: {host: reviews, subsets: [{name: ${subset}}]}`;
const routes = (subset = 'v1', name = 'reviews'): string =>
  `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: ${name}}\nspec:\n  hosts: [reviews]\n  http:\n  - route:\n    - destination:\n        host: reviews\n        subset: ${subset}`;
const key = (kind: string, name = 'reviews', group = 'networking.istio.io'): object => ({
  group,
  kind,
  namespace: 'default',
  name,
});

async function refusal(call: Promise<unknown>): Promise<{ readonly code: Code; readonly findings: readonly string[] }> {
  const error = await call.then(
    () => expect.unreachable('the call was accepted'),
    (thrown: unknown) => ConnectError.from(thrown),
  );
  const findings = error.findDetails(ValidationReportSchema).flatMap((report) => report.findings);
  return {
    code: error.code,
    findings: findings.map(({ origin, code, message }) => `${origin?.line}:${origin?.column} ${code} ${message}`),
  };
}

describe('Apply', () => {
  it('commits a batch as one version and announces it', async () => {
    const { client, announced } = await start();
    const { version, resources, report } = await client.apply({ documents: docs(service, rule(), routes()) });
    expect(version).toBe(1n);
    expect(resources.map(({ outcome }) => outcome)).toEqual(Array(3).fill(Outcome.CREATED));
    expect(report?.findings).toEqual([]);
    expect(announced.map((each) => [each.version, each.keys.length])).toEqual([[1, 3]]);
  });

  it('makes no version of unchanged documents', async () => {
    const { client, announced } = await start();
    await client.apply({ documents: docs(rule()) });
    const again = await client.apply({ documents: docs(`# moved\n${rule()}`) });
    expect(again).toMatchObject({ version: 1n, resources: [{ outcome: Outcome.UNCHANGED }] });
    const changed = await client.apply({ documents: docs(rule('v2'), service) });
    expect(changed.resources.map(({ outcome }) => outcome)).toEqual([Outcome.CONFIGURED, Outcome.CREATED]);
    expect(announced.map(({ version }) => version)).toEqual([1, 2]);
  });

  it('keeps the time of creation across updates', async () => {
    const clock = new FakeClock(1_700_000_000_000);
    const { client } = await start({ clock });
    await client.apply({ documents: docs(rule()) });
    clock.advance(60_000);
    await client.apply({ documents: docs(rule('v2')) });
    const { resource } = await client.get({ key: key('DestinationRule') });
    expect(resource).toMatchObject({ resourceVersion: 2n, createdAt: { seconds: 1_700_000_000n } });
  });

  it('refuses the whole batch for one fault, with every fault and its position', async () => {
    const { client, galley } = await start();
    const bad = 'apiVersion: v1\nkind: Service\nmetadata: {name: Bad}\nspec: {prots: []}';
    expect(await refusal(client.apply({ documents: docs(service, bad) }))).toEqual({
      code: Code.InvalidArgument,
      findings: [
        '8:18 IST0106 "Bad" is not a valid name (DNS-1123)',
        '9:8 IST0106 unknown field "prots"',
        '9:1 IST0106 a Service needs at least one port',
      ],
    });
    expect(galley.version()).toBe(0);
  });

  it('refuses a subset that no DestinationRule has, unless forced', async () => {
    const { client, galley } = await start();
    await client.apply({ documents: docs(service, rule('v2')) });
    expect(await refusal(client.apply({ documents: docs(routes('v1')) }))).toEqual({
      code: Code.InvalidArgument,
      findings: ['10:17 IST0101 no DestinationRule for reviews.default.svc.cluster.local defines the subset "v1"'],
    });
    expect(galley.version()).toBe(1);
    expect((await client.apply({ documents: docs(routes('v1')), force: true })).version).toBe(2n);
    expect(galley.findings().map(({ code }) => code)).toEqual(['IST0101']);
    // What is wrong already does not refuse what has nothing to do with it.
    expect((await client.apply({ documents: docs(service.replace('9080', '9090')) })).version).toBe(3n);
  });

  it('refuses a DestinationRule that takes away a subset in use', async () => {
    const { client } = await start();
    await client.apply({ documents: docs(service, rule('v1'), routes('v1')) });
    expect((await refusal(client.apply({ documents: docs(rule('v2')) }))).findings[0]).toMatch(
      /IST0101 no DestinationRule/,
    );
    await client.apply({ documents: docs(rule('v2'), routes('v2')) });
  });

  it('warns of what is missing or doubled, and accepts it', async () => {
    const { client } = await start();
    const atGateway = routes('v1', 'other').replace('hosts: [reviews]', 'hosts: [reviews]\n  gateways: [mesh, g]');
    const { report } = await client.apply({ documents: docs(rule(), routes(), atGateway) });
    expect(report?.findings.map(({ code, message }) => `${code} ${message}`)).toEqual([
      'IST0101 there is no service "reviews" (reviews.default.svc.cluster.local)',
      'IST0109 VirtualService default/other is older and routes for reviews.default.svc.cluster.local too, so that this one has no effect',
      'IST0101 there is no Gateway "default/g"',
      'IST0101 there is no service "reviews" (reviews.default.svc.cluster.local)',
    ]);
  });

  it('warns of a delegate that is not there, or stands for itself', async () => {
    const { client } = await start();
    const root = (name: string) => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: root }
spec: { hosts: [reviews], http: [{ delegate: { name: ${name} } }] }`;
    const child = root('x')
      .replace('name: root', 'name: child')
      .replace('hosts: [reviews], http: [{ delegate: { name: x } }]', 'http: [{ redirect: { uri: / } }]');
    const findings = async (yaml: string): Promise<string[]> => {
      const { report } = await client.apply({ documents: docs(service, yaml) });
      return report?.findings.map(({ message }) => message) ?? [];
    };
    expect(await findings(root('child'))).toEqual(['there is no VirtualService "default/child"']);
    expect(await findings(root('root'))).toEqual(['the VirtualService "default/root" has hosts']);
    expect(await findings(`${child}\n---${root('child')}`)).toEqual([]);
    const removed = await client.delete({
      keys: [{ group: 'networking.istio.io', kind: 'VirtualService', namespace: 'default', name: 'child' }],
    });
    expect(removed.report?.findings.map(({ message }) => message)).toEqual([
      'there is no VirtualService "default/child"',
    ]);
  });

  it('refuses with ABORTED when the set has another version', async () => {
    const { client } = await start();
    await client.apply({ documents: docs(rule()) });
    expect((await refusal(client.apply({ documents: docs(service), expectedVersion: 7n }))).code).toBe(Code.Aborted);
    expect((await client.apply({ documents: docs(service), expectedVersion: 1n })).version).toBe(2n);
  });

  it('loses none of many writes at once', async () => {
    const { client } = await start();
    const account = (n: number): string => `apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a${n}}`;
    await Promise.all(Array.from({ length: 40 }, (_, n) => client.apply({ documents: docs(account(n)) })));
    const { resources, version } = await client.list({ kind: 'ServiceAccount' });
    expect([resources.length, version]).toEqual([40, 40n]);
  });

  it.each([
    ['an empty text', [{ source: 'empty.yaml', yaml: '' }], ['no documents in empty.yaml']],
    ['a text of comments', [{ source: '-', yaml: '# nothing\n---\n' }], ['no documents in -']],
    ['no text', [], ['no documents in the request']],
  ])('refuses %s, and so does Validate', async (_, documents, expected) => {
    const { client } = await start();
    expect(await refusal(client.apply({ documents }))).toMatchObject({
      code: Code.InvalidArgument,
      findings: expected.map((message) => `1:1 FLT0006 ${message}`),
    });
    for (const standalone of [true, false]) {
      const { report } = await client.validate({ documents, standalone });
      expect(report?.findings.map(({ message }) => message)).toEqual(expected);
    }
  });

  it('passes over an empty text beside others', async () => {
    const { client } = await start();
    const { report } = await client.apply({ documents: [{ source: 'empty.yaml', yaml: '' }, ...docs(rule())] });
    expect(report?.findings).toEqual([]);
  });
});

describe('Delete', () => {
  it('removes by key and by document, as one version', async () => {
    const { client } = await start();
    await client.apply({ documents: docs(service, rule()) });
    const gone = await client.delete({ keys: [key('Service', 'reviews', '')], documents: docs(rule()) });
    expect(gone.version).toBe(2n);
    expect(gone.resources.map(({ outcome }) => outcome)).toEqual([Outcome.DELETED, Outcome.DELETED]);
    expect((await client.list({})).resources).toEqual([]);
  });

  it('refuses a name that does not exist, unless told to pass over it', async () => {
    const { client } = await start();
    expect((await refusal(client.delete({ keys: [key('Gateway')] }))).code).toBe(Code.NotFound);
    expect((await client.delete({ keys: [key('Gateway')], ignoreMissing: true })).version).toBe(0n);
  });

  it('refuses a deletion that leaves a subset dangling, with its position, unless forced', async () => {
    const { client, galley } = await start();
    await client.apply({ documents: docs(service, rule(), routes()) });
    expect(await refusal(client.delete({ keys: [key('DestinationRule')] }))).toEqual({
      code: Code.InvalidArgument,
      findings: ['20:17 IST0101 no DestinationRule for reviews.default.svc.cluster.local defines the subset "v1"'],
    });
    expect(galley.version()).toBe(1);
    const { report } = await client.delete({ keys: [key('DestinationRule')], force: true });
    expect(report?.findings).toMatchObject([
      {
        code: 'IST0101',
        resource: { kind: 'VirtualService', name: 'reviews' },
        field: 'spec.http[0].route[0].destination.subset',
        hint: expect.stringContaining('Apply a DestinationRule'),
      },
    ]);
    expect(galley.findings().map(({ code, severity }) => `${severity} ${code}`)).toEqual(['error IST0101']);
    // What is wrong already does not refuse a deletion that has nothing to do with it.
    await client.delete({ keys: [key('Service', 'reviews', '')] });
  });

  it('removes a rule together with the routes that need it', async () => {
    const { client } = await start();
    await client.apply({ documents: docs(service, rule(), routes()) });
    const { report } = await client.delete({ keys: [key('DestinationRule'), key('VirtualService')] });
    expect(report?.findings).toEqual([]);
  });

  it('warns when what it removes stands in a watched directory', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'galley-watched-'));
    cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
    const file = join(directory, 'mesh.yaml');
    writeFileSync(file, `# rules\n${rule()}`);
    const { client } = await start({ directories: [directory] });
    const { report } = await client.delete({ keys: [key('DestinationRule')] });
    expect(report?.findings).toMatchObject([
      {
        code: 'FLT0007',
        message: `comes from ${file}:2:1, which is watched: it comes back when that file changes`,
        hint: 'Remove it there.',
      },
    ]);
  });

  it('leaves the entry of a connected proxy to the control plane', async () => {
    const { client, galley } = await start();
    const entry =
      'apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: a-1, annotations: {flotilla.io/automatic: proxy, flotilla.io/workload: a}}\nspec: {address: 127.0.0.1}';
    await client.apply({ documents: docs(entry) });
    const served = await serveRpc({
      address: { host: '127.0.0.1', port: 0 },
      routes: galley.routes,
      logger: silentLogger,
    });
    cleanups.push(() => served.close());
    const user = createClient(GalleyService, createRpcTransport({ url: served.url }));
    const keys = [key('WorkloadEntry', 'a-1')];
    expect(await refusal(user.delete({ keys }))).toEqual({
      code: Code.InvalidArgument,
      findings: ['1:1 FLT0008 the entry belongs to the connected proxy a.default'],
    });
    await user.delete({ keys, force: true });
    await client.apply({ documents: docs(entry) });
    await client.delete({ keys });
    expect((await client.list({})).resources).toEqual([]);
  });
});

describe('a conditional Delete', () => {
  const entry = (name: string, controller: string | null): string =>
    `apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: ${name}, annotations: {a: b${controller === null ? '' : `, controller: ${controller}`}}}\nspec: {address: 127.0.0.1}`;
  const left = async (client: World['client']): Promise<readonly string[]> =>
    (await client.list({})).resources.map((resource) => resource.key?.name ?? '');

  it.each<[string, Record<string, string>, readonly string[]]>([
    ['that names a value', { controller: 'one' }, ['two', 'none']],
    ['that names several', { controller: 'two', a: 'b' }, ['one', 'none']],
    ['that names one value that nothing has', { controller: 'two', a: 'c' }, ['one', 'two', 'none']],
    ['that asks for absence', { controller: '' }, ['one', 'two']],
    ['without a condition', {}, []],
  ])('%s removes what carries it, and leaves the rest without complaint', async (_, ifAnnotations, expected) => {
    const { client } = await start();
    await client.apply({ documents: docs(entry('one', 'one'), entry('two', 'two'), entry('none', null)) });
    const keys = ['one', 'two', 'none'].map((name) => key('WorkloadEntry', name));
    const { resources, version } = await client.delete({ keys, ifAnnotations });
    expect(await left(client)).toEqual([...expected].sort());
    expect(resources).toHaveLength(3 - expected.length);
    expect(version).toBe(expected.length === 3 ? 1n : 2n);
  });

  it('is decided anew when another galley wrote in between', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'galley-condition-'));
    cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
    const store = { kind: 'sqlite', path: join(directory, 'galley.sqlite') } as const;
    // Each on a bus of its own: neither hears of the other's writes.
    const [a, b] = [await start({ store }), await start({ store })];
    await a.client.apply({ documents: docs(entry('e', 'one')) });
    await b.client.apply({ documents: docs(entry('e', 'two')) });
    await a.client.delete({ keys: [key('WorkloadEntry', 'e')], ifAnnotations: { controller: 'one' } });
    expect(await left(a.client)).toEqual(['e']);
    // To a, which has heard of nothing, the entry is still as a wrote it: unchanged would be the wrong answer.
    await b.client.apply({ documents: docs(entry('e', 'three')) });
    const { resources } = await a.client.apply({ documents: docs(entry('e', 'two')) });
    expect(resources.map(({ outcome }) => outcome)).toEqual([Outcome.CONFIGURED]);
    await b.client.delete({ keys: [key('WorkloadEntry', 'e')], ifAnnotations: { controller: 'two' } });
    expect(await left(b.client)).toEqual([]);
  });
});

describe('Get, List and Validate', () => {
  it('answers with resources as they were written', async () => {
    const { client } = await start();
    await client.apply({ documents: docs(routes().replace('/v1', '/v1beta1'), rule(), service) });
    const { resource } = await client.get({ key: key('VirtualService') });
    expect(resource).toMatchObject({
      apiVersion: 'networking.istio.io/v1beta1',
      origin: { source: 'mesh.yaml', line: 1 },
    });
    expect((await refusal(client.get({ key: key('Gateway') }))).code).toBe(Code.NotFound);
    const kinds = (await client.list({})).resources.map((each) => each.key?.kind);
    expect(kinds).toEqual(['DestinationRule', 'Service', 'VirtualService']);
    expect((await client.list({ kind: 'Service', namespace: 'other' })).resources).toEqual([]);
  });

  it('says what Apply would say, and writes nothing', async () => {
    const { client, galley } = await start();
    await client.apply({ documents: docs(service, rule('v2')) });
    const judge = async (standalone: boolean, ...yaml: readonly string[]): Promise<readonly string[]> => {
      const { report } = await client.validate({ documents: docs(...yaml), standalone });
      return (report?.findings ?? []).map(({ severity, code }) => `${severity} ${code}`);
    };
    expect(await judge(false, routes('v1'))).toEqual(['1 IST0101']);
    // Alone, the rule may be elsewhere; beside a rule without the subset, it is not.
    expect(await judge(true, routes('v1'))).toEqual(['2 IST0101']);
    expect(await judge(true, routes('v1'), rule('v2'))).toEqual(['1 IST0101']);
    expect(galley.version()).toBe(1);
  });
});

describe('ListChanges and Watch', () => {
  it('answers with changes since a version, or with everything', async () => {
    const { client } = await start({ changeLogLimit: 2 });
    await client.apply({ documents: docs(service) });
    await client.apply({ documents: docs(rule()) });
    await client.apply({ documents: docs(routes()) });
    await client.delete({ keys: [key('VirtualService')] });
    const told = async (sinceVersion: bigint): Promise<unknown> => {
      const { version, snapshot, changes } = await client.listChanges({ sinceVersion });
      return [
        version,
        snapshot,
        changes.map((change) => `${change.key?.kind} ${change.resource === undefined ? 'gone' : 'is'}`),
      ];
    };
    expect(await told(0n)).toEqual([4n, true, ['Service is', 'DestinationRule is']]);
    expect(await told(1n)).toEqual([4n, true, ['Service is', 'DestinationRule is']]);
    expect(await told(2n)).toEqual([4n, false, ['VirtualService gone']]);
    expect(await told(4n)).toEqual([4n, false, []]);
    expect(await told(9n)).toEqual([4n, true, ['Service is', 'DestinationRule is']]);
  });

  it('streams what there is, then every further version', async () => {
    const { client } = await start();
    await client.apply({ documents: docs(service) });
    const abort = new AbortController();
    const seen: unknown[] = [];
    const watching = (async () => {
      for await (const { version, snapshot, changes } of client.watch({}, { signal: abort.signal })) {
        seen.push([version, snapshot, changes.map((change) => change.key?.kind)]);
        if (version === 1n) await client.apply({ documents: docs(rule()) });
        else abort.abort();
      }
    })();
    await expect(watching).rejects.toMatchObject({ code: Code.Canceled });
    expect(seen).toEqual([
      [1n, true, ['Service']],
      [2n, false, ['DestinationRule']],
    ]);
  });

  it('ends streams when galley closes', async () => {
    const { client, galley } = await start();
    const stream = client.watch({})[Symbol.asyncIterator]();
    await stream.next();
    const ended = expect(stream.next()).rejects.toMatchObject({ code: Code.Unavailable });
    await galley.close();
    await ended;
  });
});

describe('startGalley', () => {
  it('serves what it had after a restart, with the same version', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'galley-start-'));
    cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
    const store = { kind: 'sqlite', path: join(directory, 'data', 'galley.sqlite') } as const;
    const first = await start({ store });
    await first.client.apply({ documents: docs(service, rule(), routes()) });
    await first.galley.close();
    const second = await start({ store });
    expect(second.galley.version()).toBe(1);
    expect((await second.client.list({})).resources).toHaveLength(3);
    expect((await second.client.apply({ documents: docs(routes()) })).version).toBe(1n);
  });

  it('sees through the bus what another galley on the same store committed', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'galley-twins-'));
    cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
    const bus = createInProcessBus();
    const options = { store: { kind: 'sqlite', path: join(directory, 'galley.sqlite') }, bus } as const;
    const a = await start(options);
    const b = await start(options);
    await a.client.apply({ documents: docs(service, rule()) });
    // Not yet caught up, b plans against the old set, is refused by the store, and plans again.
    expect((await b.client.apply({ documents: docs(routes()) })).version).toBe(2n);
    const stream = a.client.watch({ sinceVersion: 1n })[Symbol.asyncIterator]();
    const { value } = await stream.next();
    expect(value?.version).toBe(2n);
    await stream.return?.();
  });

  it('takes in its directories before it is ready, and follows them', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'galley-files-'));
    cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
    writeFileSync(join(directory, 'a.yaml'), service);
    const { galley, client } = await start({ directories: [directory], clock: systemClock });
    expect(galley.version()).toBe(1);
    const stream = client.watch({ sinceVersion: 1n })[Symbol.asyncIterator]();
    await stream.next();
    writeFileSync(join(directory, 'b.yaml'), rule());
    const { value } = await stream.next();
    expect(value?.changes.map((change: { key?: { kind: string } }) => change.key?.kind)).toEqual(['DestinationRule']);
    await stream.return?.();
  });

  it.each<[string, Partial<GalleyOptions>, string]>([
    [
      'a directory that does not exist',
      { directories: ['/missing'] },
      'cannot read the configuration directory /missing',
    ],
    [
      'a store that cannot be made',
      { store: { kind: 'sqlite', path: '/proc/x/y' } },
      'cannot open the configuration store /proc/x/y',
    ],
  ])('refuses %s', async (_, options, message) => {
    await expect(start(options)).rejects.toThrow(message);
  });
});
