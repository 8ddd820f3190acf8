import { defineHttpFilter } from './http-filter.ts';
import { typedStruct } from './typed-struct.ts';

/** Who is at the other end, told by headers and looked up by the address of endpoints. */
export const peerMetadata = defineHttpFilter({
  name: 'istio.metadata_exchange',
  guards: false,
  negotiated: {
    announced: ['istio.metadata_exchange', 'envoy.filters.http.peer_metadata', 'io.istio.http.peer_metadata.Config'],
    consequence: 'istio.metadata_exchange: telemetry does not name the workload at the other end',
  },
  inputs: () => ({}),
  manager(direction) {
    const discovery = [{ workload_discovery: {} }];
    const headers = [{ istio_headers: {} }];
    return typedStruct(
      'type.googleapis.com/io.istio.http.peer_metadata.Config',
      direction === 'inbound'
        ? { downstream_discovery: [...headers, ...discovery], downstream_propagation: headers }
        : { upstream_discovery: [...headers, ...discovery], upstream_propagation: headers },
    );
  },
});
