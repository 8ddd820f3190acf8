import { reuse } from '../registry/registry.ts';
import { selectingServices } from '../registry/selecting.ts';
import type { EndpointSet } from '../registry/service.ts';
import { type InboundPort, inboundPorts } from './inbound.ts';
import type { Mesh } from './mesh.ts';
import { type MtlsMode, portMtls, workloadMtls } from './peer-authentication.ts';
import type { ProxyNode } from './proxy-node.ts';
import { keepFields, keepList, type Scope } from './scope.ts';

/**
 * The part of the mesh that one proxy's configuration is made of. Each member keeps its identity for as long as its
 * content is the same: comparing two views member by member tells what has to be sent.
 */
export interface ProxyView {
  /** Shared by all proxies of its class. */
  readonly scope: Scope;
  /** By service id, of the whole mesh. */
  readonly endpoints: ReadonlyMap<string, EndpointSet>;
  readonly own: OwnPorts;
}

/** What a sidecar serves for its own workload. */
export interface OwnPorts {
  readonly inbound: readonly InboundPort[];
  /** For inbound ports that nobody declared. */
  readonly mtls: MtlsMode;
  /** What these were made from: the same again gives the same. */
  readonly from: readonly object[];
}

/** The view of a proxy, sharing with `previous`, an earlier one of the same proxy, all that is the same. */
export function viewOf(mesh: Mesh, node: ProxyNode, previous: ProxyView | null): ProxyView {
  return keepFields(previous, {
    scope: mesh.scopes.of(mesh, node),
    endpoints: mesh.registry.endpoints,
    own: node.type === 'router' ? NO_PORTS : ownPorts(mesh, node, previous?.own),
  });
}

const NO_PORTS: OwnPorts = { inbound: [], mtls: 'PERMISSIVE', from: [] };

function ownPorts(mesh: Mesh, node: ProxyNode, previous: OwnPorts | undefined): OwnPorts {
  const from = [mesh.registry.services, mesh.peerAuthentications, mesh.settings];
  if (previous?.from.every((part, at) => part === from[at]) === true) return previous;
  const selecting = selectingServices(mesh.registry.services, node);
  const mtls = workloadMtls(mesh.peerAuthentications, node, mesh.settings.rootNamespace);
  const inbound = inboundPorts(node, selecting, (port) => portMtls(mtls, port)).map((port) =>
    reuse(
      previous?.inbound.find((before) => before.port === port.port),
      port,
    ),
  );
  return { inbound: keepList(previous?.inbound, inbound), mtls: mtls.mode, from };
}
