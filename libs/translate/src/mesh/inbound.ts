import type { PortProtocol } from '@flotilla/model';
import type { Service, ServicePort } from '../registry/service.ts';
import type { MtlsMode } from './peer-authentication.ts';
import type { ProxyNode } from './proxy-node.ts';

/** A port of the proxy's own workload. */
export interface InboundPort {
  /** The workload's declared port, which names listener, cluster and route. */
  readonly port: number;
  readonly protocol: PortProtocol;
  readonly mtls: MtlsMode;
  /** Where the proxy listens, `null` when traffic is redirected to it. */
  readonly bind: { readonly address: string; readonly port: number } | null;
  /** Where the application listens, `null` for the address that the client dialled. */
  readonly app: { readonly address: string; readonly port: number } | null;
  /** Services that lead here. */
  readonly services: readonly { readonly hostname: string; readonly name: string; readonly namespace: string }[];
}

/**
 * The ports a sidecar serves: those of the services that select its workload, and those its agent announced. A
 * declared protocol of a service beats the agent's.
 */
export function inboundPorts(
  node: ProxyNode,
  selecting: readonly Service[],
  mtlsOf: (port: number) => MtlsMode,
): InboundPort[] {
  const ports = new Map<number, { protocol: PortProtocol; services: Service[] }>();
  for (const service of selecting) {
    for (const servicePort of service.ports) {
      if (servicePort.protocol === 'UDP') continue;
      const target = targetOf(servicePort, node);
      const known = ports.get(target);
      if (known === undefined) ports.set(target, { protocol: servicePort.protocol, services: [service] });
      else known.services.push(service);
    }
  }
  for (const bound of node.ports) {
    if (!ports.has(bound.port)) ports.set(bound.port, { protocol: bound.protocol, services: [] });
  }
  return [...ports.entries()]
    .sort(([a], [b]) => a - b)
    .flatMap(([port, { protocol, services }]) => {
      const bound = node.ports.find((candidate) => candidate.port === port);
      // Without interception only an announced port can be listened on.
      if (node.isExplicit && bound === undefined) return [];
      return [
        {
          port,
          protocol,
          mtls: mtlsOf(port),
          bind: node.isExplicit && bound !== undefined ? { address: bound.bindAddress, port: bound.bindPort } : null,
          app: bound === undefined || bound.appPort === 0 ? null : { address: bound.appAddress, port: bound.appPort },
          services: services.map(({ hostname, name, namespace }) => ({ hostname, name, namespace })),
        },
      ];
    });
}

function targetOf(servicePort: ServicePort, node: ProxyNode): number {
  if (typeof servicePort.target === 'number') return servicePort.target;
  const named = node.ports.find((bound) => bound.name === servicePort.target);
  return named?.port ?? servicePort.number;
}
