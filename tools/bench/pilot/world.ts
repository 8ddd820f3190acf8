/** A resource as Kubernetes and galley write it. */
export interface Resource {
  readonly apiVersion: 'networking.istio.io/v1';
  readonly kind: 'ServiceEntry' | 'VirtualService' | 'DestinationRule';
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: object;
}

const API_VERSION = 'networking.istio.io/v1';
const NAMESPACES = 10;
const ENDPOINTS = 3;
/** One in ten services speaks TCP, at an address of its own; the others HTTP, all on one port. */
const TCP_EVERY = 10;
const HTTP_PORT = 80;
const TCP_PORT = 3306;

/** Name of the routes that every proxy asks for. */
export const ROUTES = String(HTTP_PORT);

const namespaceOf = (index: number): string => `ns-${index % NAMESPACES}`;
const hostOf = (index: number): string => `service-${index}.${namespaceOf(index)}.svc.cluster.local`;
const address = (first: number, index: number): string =>
  `${first}.${index >> 16}.${(index >> 8) & 255}.${index & 255}`;
/** Services with rules: three of ten, and none that speaks TCP. */
const isRuled = (index: number): boolean => [1, 4, 7].includes(index % 10);

/** The mesh of so many services, three endpoints each, with rules for three services of ten. */
export function resourcesOf(services: number): Resource[] {
  const indexes = Array.from({ length: services }, (_, index) => index);
  const ruled = indexes.filter(isRuled);
  // In an order in which each may be added alone.
  return [
    ...indexes.map((index) => serviceEntry(index, 0)),
    ...ruled.map(destinationRule),
    ...ruled.map((index) => virtualService(index, 0)),
  ];
}

/** A service, whose last endpoint moves with every `change`. */
export function serviceEntry(index: number, change: number): Resource {
  const isTcp = index % TCP_EVERY === 0;
  return {
    apiVersion: API_VERSION,
    kind: 'ServiceEntry',
    metadata: { name: `service-${index}`, namespace: namespaceOf(index) },
    spec: {
      hosts: [hostOf(index)],
      addresses: [address(240, index + 1)],
      location: 'MESH_INTERNAL',
      resolution: 'STATIC',
      ports: [
        isTcp
          ? { name: 'tcp', number: TCP_PORT, protocol: 'TCP' }
          : { name: 'http', number: HTTP_PORT, protocol: 'HTTP' },
      ],
      endpoints: Array.from({ length: ENDPOINTS }, (_, at) => ({
        address: at === ENDPOINTS - 1 && change > 0 ? address(11, change) : address(10, index * ENDPOINTS + at + 1),
        labels: { app: `service-${index}`, version: at === 0 ? 'v1' : 'v2' },
      })),
    },
  };
}

/** Routes of a service, whose answers carry the number of the `change`. */
export function virtualService(index: number, change: number): Resource {
  const to = (subset: string, weight: number) => ({ destination: { host: hostOf(index), subset }, weight });
  return {
    apiVersion: API_VERSION,
    kind: 'VirtualService',
    metadata: { name: `service-${index}`, namespace: namespaceOf(index) },
    spec: {
      hosts: [hostOf(index)],
      http: [
        { match: [{ uri: { prefix: '/new' } }], route: [to('v2', 100)], timeout: '5s' },
        { route: [to('v1', 90), to('v2', 10)], headers: { response: { set: { 'x-change': `change-${change}` } } } },
      ],
    },
  };
}

function destinationRule(index: number): Resource {
  return {
    apiVersion: API_VERSION,
    kind: 'DestinationRule',
    metadata: { name: `service-${index}`, namespace: namespaceOf(index) },
    spec: {
      host: hostOf(index),
      trafficPolicy: { connectionPool: { http: { maxRequestsPerConnection: 100 } } },
      subsets: ['v1', 'v2'].map((version) => ({ name: version, labels: { version } })),
    },
  };
}

/** Index of the HTTP service whose endpoints the n-th change moves, and of the one whose rule it writes. */
export function changedService(
  change: number,
  services: number,
): { readonly endpoints: number; readonly rule: number } {
  const decade = (change * 7) % Math.floor(services / 10);
  return { endpoints: decade * 10 + 2, rule: decade * 10 + 4 };
}

/** The cluster by which an endpoint change of a service is recognised. */
export function clusterOf(index: number): string {
  return `outbound|${HTTP_PORT}||${hostOf(index)}`;
}

/** A proxy of the mesh, as its node says: a workload of one of the services. */
export function nodeOf(proxy: number, services: number) {
  const service = proxy % services;
  const namespace = namespaceOf(service);
  const ip = address(10, service * ENDPOINTS + 1);
  return {
    id: `sidecar~${ip}~service-${service}-${proxy}.${namespace}~${namespace}.svc.cluster.local`,
    metadata: {
      NAMESPACE: namespace,
      LABELS: { app: `service-${service}`, version: 'v1' },
      INSTANCE_IPS: ip,
      CLUSTER_ID: 'Kubernetes',
      ISTIO_VERSION: '1.30.0',
      MESH_ID: 'cluster.local',
    },
  };
}
