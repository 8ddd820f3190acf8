export type { AccessLog } from './access-log.ts';
export type { CertificateFacts, SubjectAltNames } from './certificate-facts.ts';
export { FilterState } from './filter-state.ts';
export { isGrpcType } from './grpc-type.ts';
export { addressOf, portOf } from './host-port.ts';
export { flagOfName, formatLongResponseFlags, formatResponseFlags, ResponseFlag } from './response-flags.ts';
export {
  bytesOf,
  durationOf,
  field,
  grpcStatusOf,
  logTypeOf,
  nonEmpty,
  requestHeader,
  requestHeadersBytes,
  responseHeadersBytes,
} from './stream-fields.ts';
export {
  type ConnectionInfo,
  type DestinationService,
  type FilterMetadata,
  type PeerMetadata,
  StreamInfo,
  type TlsFacts,
  type TriedHost,
} from './stream-info.ts';
