import { isIP } from 'node:net';
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import type { Node } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import { isObject, protocolByName, type PortProtocol } from '@flotilla/model';
import { FlotillaError } from '@flotilla/runtime';

/** A port of a workload or gateway whose real place differs from the declared one (metadata FLOTILLA_PORTS). */
export interface BoundPort {
  readonly name: string;
  /** Sidecar: the workload's declared port. Gateway: number of a Gateway server's port. */
  readonly port: number;
  readonly protocol: PortProtocol;
  readonly bindAddress: string;
  readonly bindPort: number;
  /** Where the application listens; for sidecars. */
  readonly appAddress: string;
  readonly appPort: number;
}

export type AddressFamilies = 'IPv4' | 'IPv6' | 'dual';

/** Who a proxy is, from its node id and metadata. Immutable; one per stream. */
export interface ProxyNode {
  readonly id: string;
  readonly type: 'sidecar' | 'router';
  readonly ip: string;
  /** Address families of the workload (metadata INSTANCE_IPS): its listeners are there for each. */
  readonly families: AddressFamilies;
  readonly workload: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  /** No interception: the application is told where its proxy listens. */
  readonly isExplicit: boolean;
  /** Port of the HTTP forward-proxy listener in explicit mode, `null` for none. */
  readonly httpProxyPort: number | null;
  readonly ports: readonly BoundPort[];
  /** Where others find the workload's ports, by name. */
  readonly portsByName: Readonly<Record<string, number>>;
  readonly clusterId: string;
  readonly network: string;
  readonly locality: string;
  /** Names of the extensions it has, and type URLs that they take. */
  readonly extensions: ReadonlySet<string>;
  /** Chosen at random by the agent when it starts: tells two proxies of one name apart. `''`: not told. */
  readonly instance: string;
  /** Such as `envoy/1.40.0`. */
  readonly agent: string;
}

/**
 * Reads a node. Throws `invalid` when the id is not Istio's `<type>~<ip>~<workload>.<namespace>~<domain>`, or a field
 * of the metadata has the wrong type.
 */
export function parseProxyNode(node: Node): ProxyNode {
  const [type, ip, idName, domain, ...rest] = node.id.split('~');
  if ((type !== 'sidecar' && type !== 'router') || !ip || !idName || !domain || rest.length > 0) {
    throw new FlotillaError('invalid', `node id "${node.id}" is not understood`, {
      hint: 'Write <sidecar|router>~<ip>~<workload>.<namespace>~<namespace>.svc.<domain suffix>.',
    });
  }
  const metadata = node.metadata ?? {};
  const dot = idName.lastIndexOf('.');
  const namespace = text(metadata, 'NAMESPACE') || idName.slice(dot + 1);
  const ports = boundPorts(metadata['FLOTILLA_PORTS']);
  return {
    id: node.id,
    type,
    ip,
    families: addressFamilies(text(metadata, 'INSTANCE_IPS') || ip),
    workload: text(metadata, 'WORKLOAD_NAME') || idName.slice(0, dot),
    namespace,
    serviceAccount: text(metadata, 'SERVICE_ACCOUNT') || 'default',
    labels: labels(metadata),
    isExplicit: text(metadata, 'INTERCEPTION_MODE') === 'NONE',
    httpProxyPort: portNumber(metadata, 'HTTP_PROXY_PORT'),
    ports,
    portsByName: Object.fromEntries(
      ports.filter(({ name }) => name !== '').map(({ name, bindPort }) => [name, bindPort]),
    ),
    clusterId: text(metadata, 'CLUSTER_ID') || 'Kubernetes',
    network: text(metadata, 'NETWORK'),
    locality: [node.locality?.region, node.locality?.zone, node.locality?.subZone].filter(Boolean).join('/'),
    extensions: new Set(node.extensions.flatMap((extension) => [extension.name, ...extension.typeUrls])),
    instance: text(metadata, 'FLOTILLA_INSTANCE'),
    agent: agentOf(node),
  };
}

/** `10.0.0.7,fd00::7`; what is no address tells nothing. */
function addressFamilies(addresses: string): AddressFamilies {
  const versions = new Set(addresses.split(',').map((address) => isIP(address.trim())));
  if (!versions.has(6)) return 'IPv4';
  return versions.has(4) ? 'dual' : 'IPv6';
}

function agentOf(node: Node): string {
  const version =
    node.userAgentVersionType.case === 'userAgentBuildVersion'
      ? node.userAgentVersionType.value.version
      : node.userAgentVersionType.case === 'userAgentVersion'
        ? node.userAgentVersionType.value
        : '';
  const number =
    typeof version === 'string'
      ? version
      : version === undefined
        ? ''
        : `${version.majorNumber}.${version.minorNumber}.${version.patch}`;
  return number === '' ? node.userAgentName : `${node.userAgentName}/${number}`;
}

function text(metadata: JsonObject, key: string): string {
  const value = metadata[key] ?? '';
  if (typeof value !== 'string') throw wrongType(key, 'text');
  return value;
}

function portNumber(metadata: JsonObject, key: string): number | null {
  const value = metadata[key];
  if (value === undefined || value === '') return null;
  const port = Number(value);
  if (!isPort(port)) throw wrongType(key, 'a port number');
  return port;
}

function labels(metadata: JsonObject): Readonly<Record<string, string>> {
  const value = metadata['LABELS'] ?? {};
  if (!isObject(value)) throw wrongType('LABELS', 'an object');
  const found: Record<string, string> = {};
  for (const [key, label] of Object.entries(value)) {
    if (typeof label !== 'string') throw wrongType(`LABELS.${key}`, 'text');
    found[key] = label;
  }
  return found;
}

function boundPorts(value: JsonValue | undefined): readonly BoundPort[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw wrongType('FLOTILLA_PORTS', 'a list');
  return value.map((entry, index) => {
    const at = `FLOTILLA_PORTS[${index}]`;
    if (!isObject(entry)) throw wrongType(at, 'an object');
    const { name, port, protocol, bindAddress, bindPort, appAddress = '127.0.0.1', appPort = 0 } = entry;
    if (!isPort(port)) throw wrongType(`${at}.port`, 'a port number');
    if (!isPort(bindPort)) throw wrongType(`${at}.bindPort`, 'a port number');
    if (typeof bindAddress !== 'string') throw wrongType(`${at}.bindAddress`, 'an address');
    if (typeof appAddress !== 'string') throw wrongType(`${at}.appAddress`, 'an address');
    if (appPort !== 0 && !isPort(appPort)) throw wrongType(`${at}.appPort`, 'a port number');
    const portName = typeof name === 'string' ? name : '';
    const declared = typeof protocol === 'string' && protocol !== '' ? protocol : portName;
    return {
      name: portName,
      port,
      protocol: protocolByName(declared) ?? 'auto',
      bindAddress,
      bindPort,
      appAddress,
      appPort,
    };
  });
}

function isPort(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= 65_535;
}

function wrongType(key: string, expected: string): FlotillaError {
  return new FlotillaError('invalid', `node metadata ${key} is not ${expected}`);
}
