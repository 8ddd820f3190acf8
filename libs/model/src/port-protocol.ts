/**
 * What a port speaks, by Istio's names. `auto` means that nothing was declared and the proxy looks at the first bytes.
 */
export type PortProtocol =
  'HTTP' | 'HTTP2' | 'GRPC' | 'GRPC-Web' | 'HTTPS' | 'TLS' | 'TCP' | 'Mongo' | 'MySQL' | 'Redis' | 'UDP' | 'auto';

const BY_NAME: ReadonlyMap<string, PortProtocol> = new Map([
  ['http', 'HTTP'],
  ['http2', 'HTTP2'],
  ['grpc', 'GRPC'],
  ['grpc-web', 'GRPC-Web'],
  ['https', 'HTTPS'],
  ['tls', 'TLS'],
  ['tcp', 'TCP'],
  ['mongo', 'Mongo'],
  ['mysql', 'MySQL'],
  ['redis', 'Redis'],
  ['udp', 'UDP'],
]);

// Values of appProtocol that the Kubernetes API reserves.
const BY_APP_PROTOCOL: ReadonlyMap<string, PortProtocol> = new Map([
  ['kubernetes.io/h2c', 'HTTP2'],
  ['kubernetes.io/ws', 'HTTP'],
  ['kubernetes.io/wss', 'HTTPS'],
]);

// Protocols in which the server speaks first: looking at the client's first bytes would wait for ever.
const SERVER_FIRST_PORTS: ReadonlySet<number> = new Set([25, 53, 3306, 27_017]);

export interface PortDeclaration {
  readonly name: string;
  readonly port: number;
  /** Transport as Kubernetes writes it; "" means TCP. */
  readonly transport?: string;
  readonly appProtocol?: string | null;
}

/**
 * The protocol of a Service port: by `appProtocol` where it is set, otherwise by name as `protocol[-suffix]`
 * (`http-web`, `grpc`). Undeclared ports 25, 53, 3306 and 27017 are TCP; other undeclared ports are `auto`.
 */
export function portProtocol(declaration: PortDeclaration): PortProtocol {
  if (declaration.transport === 'UDP') return 'UDP';
  const appProtocol = declaration.appProtocol?.toLowerCase();
  const declared =
    (appProtocol !== undefined ? BY_APP_PROTOCOL.get(appProtocol) : undefined) ??
    protocolByName(appProtocol ?? declaration.name);
  if (declared !== null) return declared;
  return SERVER_FIRST_PORTS.has(declaration.port) ? 'TCP' : 'auto';
}

/** Reads `protocol[-suffix]` in any case, `grpc-web` before `grpc`; `null` when there is no known protocol in it. */
export function protocolByName(name: string): PortProtocol | null {
  const lower = name.toLowerCase();
  if (lower === 'grpc-web' || lower.startsWith('grpc-web-')) return 'GRPC-Web';
  const dash = lower.indexOf('-');
  return BY_NAME.get(dash === -1 ? lower : lower.slice(0, dash)) ?? null;
}

/** Whether the proxy routes requests on such a port by HTTP rules. */
export function isHttpProtocol(protocol: PortProtocol): boolean {
  return protocol === 'HTTP' || protocol === 'HTTP2' || protocol === 'GRPC' || protocol === 'GRPC-Web';
}
