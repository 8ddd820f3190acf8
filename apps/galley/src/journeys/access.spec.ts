import { Code, ConnectError, createClient } from '@connectrpc/connect';
import type { Client } from '@connectrpc/connect';
import { createInProcessBus } from '@flotilla/bus';
import { silentLogger } from '@flotilla/observe';
import { createRpcTransport, serveRpc } from '@flotilla/rpc';
import { FakeClock } from '@flotilla/runtime';
import { compileAdminPolicy } from '@flotilla/service';
import { createTestAuthority, createTestIdentity } from '@flotilla/spiffe/testing';
import { GalleyService } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compileAccess } from '../serve/access.ts';
import { startGalley } from '../start.ts';

const id = (namespace: string, serviceAccount: string) => ({ trustDomain: 'cluster.local', namespace, serviceAccount });
const PILOT = 'spiffe://cluster.local/ns/istio-system/sa/pilot';
const ADMIN = 'spiffe://cluster.local/ns/ops/sa/deployer';

type Api = Client<typeof GalleyService>;
type Name =
  'in process' | 'admin token' | 'wrong token' | 'admin' | 'pilot' | 'pilot, wrong token' | 'workload' | 'nobody';

let callers: ReadonlyMap<Name, Api>;
const opened: { close(): void | Promise<void> }[] = [];
let connectAs: (url: string) => ReadonlyMap<Name, Api>;
let server: Parameters<typeof serveRpc>[0]['tls'];

beforeAll(async () => {
  const authority = await createTestAuthority();
  const issue = async (namespace: string, serviceAccount: string) =>
    createTestIdentity(await authority.issue(id(namespace, serviceAccount), { dnsNames: ['localhost'] }));
  server = { identity: await issue('istio-system', 'galley'), clientCertificates: 'optional' };
  const pilot = await issue('istio-system', 'pilot');
  const admin = await issue('ops', 'deployer');
  const workload = await issue('default', 'reviews');
  const serverSpiffeId = 'spiffe://cluster.local/ns/istio-system/sa/galley';
  connectAs = (url) => {
    const client = (identity: typeof pilot | null, token: string | null) => {
      const tls = { rootsPem: authority.rootPem, serverSpiffeId, ...(identity === null ? {} : { identity }) };
      const transport = createRpcTransport({
        url,
        tls,
        ...(token === null ? {} : { token }),
      });
      opened.push(transport);
      return createClient(GalleyService, transport);
    };
    return new Map([
      ['admin token', client(null, 'open-sesame')],
      ['wrong token', client(null, 'guessed')],
      ['admin', client(admin, null)],
      ['pilot', client(pilot, null)],
      ['pilot, wrong token', client(pilot, 'guessed')],
      ['workload', client(workload, null)],
      ['nobody', client(null, null)],
    ]);
  };
});

beforeEach(async () => {
  const galley = await startGalley({
    store: { kind: 'sqlite', path: ':memory:' },
    bus: createInProcessBus(),
    directories: [],
    access: compileAccess({
      assertAdmin: compileAdminPolicy({ adminToken: 'open-sesame', admins: [ADMIN] }),
      registrars: [PILOT],
    }),
    logger: silentLogger,
    clock: new FakeClock(),
  });
  opened.push(galley);
  const served = await serveRpc({
    address: { host: '127.0.0.1', port: 0 },
    routes: galley.routes,
    ...(server === undefined ? {} : { tls: server }),
    logger: silentLogger,
  });
  opened.push(served);
  callers = new Map([['in process', createClient(GalleyService, galley.transport)], ...connectAs(served.url)]);
  await as('in process').apply({ documents: docs(RULE, HAND_MADE, automatic('there')) });
});

const closeAll = async (): Promise<void> => {
  for (const each of opened.splice(0).reverse()) await each.close();
};
afterEach(closeAll);
afterAll(closeAll);

function as(name: Name): Api {
  const client = callers.get(name);
  if (client === undefined) throw new Error(`no caller ${name}`);
  return client;
}

const docs = (...yaml: readonly string[]) => [{ source: 'mesh.yaml', yaml: yaml.join('\n---\n') }];
const RULE =
  'apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: reviews}\nspec: {host: reviews}';
const entry = (name: string, annotations: string, address = '127.0.0.1') =>
  `apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: ${name}, annotations: {${annotations}}}\nspec: {address: ${address}}`;
const automatic = (name: string, address?: string) => entry(name, 'flotilla.io/automatic: proxy', address);
const OF_ANOTHER = `${automatic('there')}\n  serviceAccount: somebody-else`.replace(
  'spec: {address: 127.0.0.1}',
  'spec:\n  address: 127.0.0.1',
);
const HAND_MADE = entry('by-hand', '');
const key = (kind: string, name: string) => ({ group: 'networking.istio.io', kind, namespace: 'default', name });

const OPERATIONS = {
  'reads one': (api) => api.get({ key: key('DestinationRule', 'reviews') }),
  'reads all': (api) => api.list({}),
  'reads changes': (api) => api.listChanges({}),
  watches: async (api) => {
    const abort = new AbortController();
    for await (const _ of api.watch({}, { signal: abort.signal })) return abort.abort();
  },
  'validates against the mesh': (api) => api.validate({ documents: docs(RULE) }),
  'validates alone': (api) => api.validate({ documents: docs(RULE), standalone: true }),
  'writes a rule': (api) => api.apply({ documents: docs(RULE) }),
  'removes a rule': (api) => api.delete({ keys: [key('DestinationRule', 'reviews')] }),
  'registers a workload': (api) => api.apply({ documents: docs(automatic('new'), automatic('there', '127.0.0.2')) }),
  'removes a registration': (api) =>
    api.delete({ keys: [key('WorkloadEntry', 'there'), key('WorkloadEntry', 'gone')], ignoreMissing: true }),
  'writes an entry by hand': (api) => api.apply({ documents: docs(entry('other', '')) }),
  'replaces a hand-made entry': (api) => api.apply({ documents: docs(automatic('by-hand')) }),
  "replaces another identity's entry": (api) => api.apply({ documents: docs(OF_ANOTHER) }),
  'removes a hand-made entry': (api) => api.delete({ keys: [key('WorkloadEntry', 'by-hand')] }),
  'registers, and a rule with it': (api) => api.apply({ documents: docs(automatic('new'), RULE) }),
  'removes a registration, and a rule with it': (api) =>
    api.delete({ keys: [key('WorkloadEntry', 'there'), key('DestinationRule', 'reviews')] }),
} satisfies Record<string, (api: Api) => Promise<unknown>>;
type Operation = keyof typeof OPERATIONS;

const READS: readonly Operation[] = [
  'reads one',
  'reads all',
  'reads changes',
  'watches',
  'validates against the mesh',
];
const REGISTERS: readonly Operation[] = ['registers a workload', 'removes a registration'];
const ALL = Object.keys(OPERATIONS) as readonly Operation[];
const { Unauthenticated, PermissionDenied } = Code;

describe('who may do what', () => {
  it.each<[Name, readonly Operation[], Code]>([
    ['in process', ALL, PermissionDenied],
    ['admin token', ALL, PermissionDenied],
    ['admin', ALL, PermissionDenied],
    ['pilot', [...READS, ...REGISTERS], PermissionDenied],
    ['pilot, wrong token', [], Unauthenticated],
    ['wrong token', [], Unauthenticated],
    ['workload', [], PermissionDenied],
    ['nobody', [], Unauthenticated],
  ])('%s', async (name, allowed, refusal) => {
    for (const operation of ALL) {
      const isAllowed = operation === 'validates alone' || allowed.includes(operation);
      const before = (await as('in process').list({})).version;
      const code = await OPERATIONS[operation](as(name)).then(
        () => null,
        (error: unknown) => ConnectError.from(error).code,
      );
      // An administrator is asked whether an entry of a connected proxy is really to go, as it always was.
      const isWarned = code === Code.InvalidArgument && operation.startsWith('removes a registration');
      expect(isWarned ? null : code, operation).toBe(isAllowed ? null : refusal);
      const after = (await as('in process').list({})).version;
      if (!isAllowed) expect(after, operation).toBe(before);
      await as('in process').apply({ documents: docs(RULE, HAND_MADE, automatic('there')) });
    }
  });

  it('a pilot is told which document it may not write, and why', async () => {
    const told = (call: Promise<unknown>) => call.catch((error: unknown) => ConnectError.from(error).rawMessage);
    const may = 'this caller may write nothing but automatic WorkloadEntries';
    expect(await told(as('pilot').apply({ documents: docs(automatic('new'), RULE) }))).toBe(
      `${may}, and DestinationRule default/reviews (mesh.yaml:6:1) is not one; nothing was changed`,
    );
    expect(await told(as('pilot').apply({ documents: docs(automatic('by-hand')) }))).toBe(
      `${may}, and WorkloadEntry default/by-hand (mesh.yaml:1:1) would replace one that somebody wrote (mesh.yaml:6:1); nothing was changed`,
    );
    expect(await told(as('pilot').delete({ keys: [key('WorkloadEntry', 'by-hand')] }))).toBe(
      `${may}, and WorkloadEntry default/by-hand is not one; nothing was changed`,
    );
  });

  it('a condition spares a pilot the refusal for what became hand-made meanwhile', async () => {
    const ifAnnotations = { 'flotilla.io/automatic': 'proxy' };
    const keys = [key('WorkloadEntry', 'by-hand'), key('WorkloadEntry', 'there')];
    const { resources } = await as('pilot').delete({ keys, ifAnnotations });
    expect(resources.map((each) => each.key?.name)).toEqual(['there']);
  });
});
