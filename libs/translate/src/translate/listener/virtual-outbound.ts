import { TrafficDirection } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import type { AddressFamilies } from '../../mesh/proxy-node.ts';
import type { MeshSettings } from '../../mesh/settings.ts';
import { listenerDraft } from '../draft.ts';
import { BLACK_HOLE_CLUSTER, PASSTHROUGH_CLUSTER, VIRTUAL_OUTBOUND } from '../names.ts';
import { anyAddress, ORIGINAL_DESTINATION } from './parts.ts';
import { tcpProxy } from './tcp-proxy.ts';

export type VirtualOutboundInputs = {
  readonly mayPass: boolean;
  readonly families: AddressFamilies;
  readonly mesh: MeshSettings;
};

/** `virtualOutbound`: all redirected outbound traffic, handed to the listener of its original destination. */
export function virtualOutboundResource({ mayPass, families, mesh }: VirtualOutboundInputs) {
  const port = mesh.config.proxyListenPort;
  const unknown = mayPass ? PASSTHROUGH_CLUSTER : BLACK_HOLE_CLUSTER;
  return listenerDraft(VIRTUAL_OUTBOUND, {
    name: VIRTUAL_OUTBOUND,
    ...anyAddress(families, port),
    trafficDirection: TrafficDirection.OUTBOUND,
    useOriginalDst: true,
    listenerFilters: [ORIGINAL_DESTINATION],
    filterChains: [
      {
        name: 'virtualOutbound-blackhole',
        filterChainMatch: { destinationPort: port },
        filters: [tcpProxy([{ name: BLACK_HOLE_CLUSTER, weight: 1 }], mesh, { statPrefix: BLACK_HOLE_CLUSTER })],
      },
      {
        name: 'virtualOutbound-catchall-tcp',
        filters: [tcpProxy([{ name: unknown, weight: 1 }], mesh, { statPrefix: unknown })],
      },
    ],
  });
}
