import type { NetworkFilterScope } from '../../ports/network-filter-scope.ts';
import { PeerDecoder, encodeLocalPeer } from './peer-struct.ts';
import type { FilterFactory, FilterStream, FilterVerdict, HttpFilter, ResponseHead } from '../../ports/http-filter.ts';
import { refuse } from '@flotilla/envoy';
import type { FilterConfig } from './filter-config.ts';

const METADATA = 'x-envoy-peer-metadata';
const METADATA_ID = 'x-envoy-peer-metadata-id';

const KNOWN_FIELDS = new Set([
  'downstream_discovery',
  'upstream_discovery',
  'downstream_propagation',
  'upstream_propagation',
  'shared_with_upstream',
]);

/**
 * Istio's exchange of workload metadata by header: the client's proxy sends who it is, the server's proxy takes
 * that off the request and answers with who it is, which the client's proxy takes off again. What came from the
 * outside on the other side of the exchange is removed, so that no application sees or fakes it.
 */
export function compilePeerMetadataFilter(
  name: string,
  config: FilterConfig,
  scope: NetworkFilterScope,
): FilterFactory {
  const json = config.json ?? {};
  for (const field of Object.keys(json)) if (!KNOWN_FIELDS.has(field)) refuse(name, `${field} is not supported`);
  // Without settings the traffic direction says which side of the exchange this is.
  const isDefault = Object.keys(json).length === 0;
  const usesHeaders = (field: string) => JSON.stringify(json[field] ?? []).includes('"istio_headers"');
  const filter = new PeerMetadataFilter(encodeLocalPeer(scope.ctx.node), scope.ctx.node.id, {
    readsRequest: isDefault ? scope.isInbound : usesHeaders('downstream_discovery'),
    answers: isDefault ? scope.isInbound : usesHeaders('downstream_propagation'),
    sends: isDefault ? !scope.isInbound : usesHeaders('upstream_propagation'),
    readsResponse: isDefault ? !scope.isInbound : usesHeaders('upstream_discovery'),
  });
  return { name, bind: () => () => filter, record: null };
}

interface Directions {
  readonly readsRequest: boolean;
  readonly answers: boolean;
  readonly sends: boolean;
  readonly readsResponse: boolean;
}

/** Holds no state of a request: one object serves all. */
class PeerMetadataFilter implements HttpFilter {
  readonly #decoder = new PeerDecoder();
  readonly #local: string;
  readonly #localId: string;
  readonly #directions: Directions;

  constructor(local: string, localId: string, directions: Directions) {
    this.#local = local;
    this.#localId = localId;
    this.#directions = directions;
  }

  onRequest({ request, info }: FilterStream): FilterVerdict {
    const { headers } = request;
    const metadata = headers.get(METADATA);
    if (metadata !== undefined || headers.has(METADATA_ID)) {
      // Only a verified peer is believed: its word becomes labels of metrics, which a stranger could grow without end.
      if (this.#directions.readsRequest && metadata !== undefined && info.connection.peerUriSan !== null) {
        info.downstreamPeer = this.#decoder.decode(metadata);
      }
      headers.remove(METADATA);
      headers.remove(METADATA_ID);
    }
    if (this.#directions.sends) headers.flat.push(METADATA_ID, this.#localId, METADATA, this.#local);
    return 'continue';
  }

  onResponse({ info }: FilterStream, { headers }: ResponseHead): FilterVerdict {
    const metadata = headers.get(METADATA);
    if (metadata !== undefined || headers.has(METADATA_ID)) {
      if (this.#directions.readsResponse && metadata !== undefined && info.upstreamPeerUriSan !== null) {
        info.upstreamPeer = this.#decoder.decode(metadata) ?? info.upstreamPeer;
      }
      headers.remove(METADATA);
      headers.remove(METADATA_ID);
    }
    // Only to a proxy that told who it is: anybody else would get headers that it has no use for.
    if (this.#directions.answers && info.downstreamPeer !== null) {
      headers.flat.push(METADATA_ID, this.#localId, METADATA, this.#local);
    }
    return 'continue';
  }
}
