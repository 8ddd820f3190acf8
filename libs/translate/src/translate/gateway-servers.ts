import { ServerTLSSettings_TLSmode as TlsMode } from '@flotilla/wire/istio/networking/v1alpha3/gateway_pb.js';
import type { Server } from '@flotilla/wire/istio/networking/v1alpha3/gateway_pb.js';
import { hostCovers, resolveHost } from '@flotilla/model';
import type { Config } from '../mesh/config.ts';
import type { MeshSettings } from '../mesh/settings.ts';
import { hostsOf } from '../mesh/virtual-services.ts';
import { gatewayHttpRoute, gatewayHttpsRoute } from './names.ts';

/** One server of a Gateway resource. */
export interface GatewayServer {
  readonly gateway: Config<'Gateway'>;
  readonly server: Server;
  readonly kind: 'http' | 'https' | 'tcp';
}

/** The servers that share a listener. */
export interface ServerGroup {
  readonly port: number;
  /** "" for every address. */
  readonly bind: string;
  readonly kind: GatewayServer['kind'];
  readonly servers: readonly GatewayServer[];
}

export function gatewayServerId({ gateway }: GatewayServer): string {
  return `${gateway.key.namespace}/${gateway.key.name}`;
}

/**
 * Servers by port and address. Servers of one listener must speak alike: the oldest decides, others are left out and
 * named in `conflicts`.
 */
export function groupServers(gateways: readonly Config<'Gateway'>[]): {
  readonly groups: readonly ServerGroup[];
  readonly conflicts: readonly string[];
} {
  const groups = new Map<
    string,
    { port: number; bind: string; kind: GatewayServer['kind']; servers: GatewayServer[] }
  >();
  const conflicts: string[] = [];
  for (const gateway of gateways) {
    for (const server of gateway.spec.servers) {
      const kind = kindOf(server);
      const port = server.port?.number ?? 0;
      const key = `${server.bind}_${port}`;
      const group = groups.get(key);
      if (group === undefined) {
        groups.set(key, { port, bind: server.bind, kind, servers: [{ gateway, server, kind }] });
      } else if (group.kind === kind) {
        group.servers.push({ gateway, server, kind });
      } else {
        const { namespace, name } = gateway.key;
        conflicts.push(`Gateway ${namespace}/${name}: port ${port} is taken by ${group.kind}, left out: ${kind}`);
      }
    }
  }
  return { groups: [...groups.values()].sort((a, b) => a.port - b.port), conflicts };
}

function kindOf(server: Server): GatewayServer['kind'] {
  const protocol = server.port?.protocol.toUpperCase() ?? '';
  if (protocol === 'HTTPS') return 'https';
  if (protocol === 'TCP' || protocol === 'TLS' || protocol === 'MONGO') return 'tcp';
  return 'http';
}

/** RDS name of a server's routes: all plain HTTP servers of a port share one, each HTTPS server has its own. */
export function routeNameOf(group: ServerGroup, { gateway, server }: GatewayServer): string {
  if (group.kind === 'http') return gatewayHttpRoute(group.port, group.bind);
  return gatewayHttpsRoute({
    port: group.port,
    portName: server.port?.name ?? '',
    gateway: gateway.key.name,
    namespace: gateway.key.namespace,
  });
}

/** Whether a server ends TLS itself. */
export function terminatesTls(server: Server): boolean {
  return server.tls !== undefined && (server.tls.mode === TlsMode.SIMPLE || server.tls.mode === TlsMode.MUTUAL);
}

/**
 * The hosts for which a server takes requests by the rules of a VirtualService: for each pair of a server's host
 * (`[namespace/]host`) and a rule's, the narrower of the two.
 */
export function boundHosts(
  { gateway, server }: GatewayServer,
  rule: Config<'VirtualService'>,
  mesh: MeshSettings,
): string[] {
  const bound = new Set<string>();
  for (const ruleHost of hostsOf(rule, mesh)) {
    for (const entry of server.hosts) {
      const serverHost = serverHostFor(entry, gateway, rule.key.namespace, mesh);
      if (serverHost === null) continue;
      if (hostCovers(serverHost, ruleHost)) bound.add(ruleHost);
      else if (hostCovers(ruleHost, serverHost)) bound.add(serverHost);
    }
  }
  return [...bound];
}

/** The host part of a server's entry, `null` when the entry excludes rules of that namespace. */
function serverHostFor(
  entry: string,
  gateway: Config<'Gateway'>,
  ruleNamespace: string,
  mesh: MeshSettings,
): string | null {
  const slash = entry.indexOf('/');
  if (slash === -1) return resolveHost(entry, gateway.key.namespace, mesh.domainSuffix).toLowerCase();
  const namespace = entry.slice(0, slash);
  const isOpen = namespace === '*' || ruleNamespace === (namespace === '.' ? gateway.key.namespace : namespace);
  return isOpen ? resolveHost(entry.slice(slash + 1), ruleNamespace, mesh.domainSuffix).toLowerCase() : null;
}

/** Host names of a server without their namespaces, for SNI and redirects. */
export function serverHosts({ server }: GatewayServer): string[] {
  return server.hosts.map((entry) => entry.slice(entry.indexOf('/') + 1).toLowerCase());
}
