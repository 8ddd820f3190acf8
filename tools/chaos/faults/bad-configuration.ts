import type { Fault } from './fault.ts';

const NAMESPACE = 'rogue';
const TIMEOUT_MS = 5_000;

const virtualService = (name: string, spec: string): string =>
  `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: ${name}, namespace: ${NAMESPACE} }\nspec: ${spec}\n`;

/** What a team gets wrong, or sends to harm: galley may refuse each, and none may reach beyond its namespace. */
const DOCUMENTS: readonly string[] = [
  virtualService('no-such-field', '{ hosts: [a.example], http: [{ rout: [] }] }'),
  virtualService(
    'no-regex',
    "{ hosts: [a.example], http: [{ match: [{ uri: { regex: '(' } }], directResponse: { status: 200 } }] }",
  ),
  virtualService(
    'slow-regex',
    "{ hosts: [a.example], http: [{ match: [{ uri: { regex: '(a+)+$' } }], directResponse: { status: 200 } }] }",
  ),
  virtualService(
    'nowhere',
    '{ hosts: [b.example], http: [{ route: [{ destination: { host: nowhere.rogue.svc.cluster.local } }] }] }',
  ),
  virtualService('twice', '{ hosts: [c.example, c.example], http: [{ directResponse: { status: 200 } }] }'),
  virtualService(
    'wildcards',
    "{ hosts: ['*.d.example', '*.e.d.example'], http: [{ directResponse: { status: 200 } }] }",
  ),
  virtualService(
    'bad-header',
    "{ hosts: [f.example], http: [{ headers: { request: { set: { 'a b': 'c' } } }, directResponse: { status: 200 } }] }",
  ),
  virtualService(
    'many',
    `{ hosts: [g.example], ${Array.from({ length: 2_000 }, (_, at) => `field${at}: 1`).join(', ')} }`,
  ),
  `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: bad-address, namespace: ${NAMESPACE} }
spec: { hosts: [h.example], location: MESH_EXTERNAL, resolution: STATIC, ports: [{ number: 80, name: http, protocol: HTTP }], endpoints: [{ address: nowhere }] }
`,
  'apiVersion: v1\nkind: ServiceAccount\nmetadata: { name: [ }\n',
];

/** One namespace applies, one after another, what is wrong; what of it was taken is deleted when the time is over. */
export const badConfiguration: Fault = async ({ mesh }) => {
  for (const yaml of DOCUMENTS) {
    try {
      await mesh.client.galley.apply({ documents: [{ source: NAMESPACE, yaml }] }, { timeoutMs: TIMEOUT_MS });
    } catch {
      // Refused, or nobody is there to refuse it.
    }
  }
  return {
    heal: async () => {
      try {
        const { resources } = await mesh.client.galley.list({ namespace: NAMESPACE }, { timeoutMs: TIMEOUT_MS });
        const keys = resources.flatMap(({ key }) => (key === undefined ? [] : [key]));
        if (keys.length > 0) await mesh.client.galley.delete({ keys }, { timeoutMs: TIMEOUT_MS });
      } catch {
        // Galley or its store is away: it stays, and harms nobody.
      }
    },
  };
};
