import { type CommonTlsContextSchema } from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import {
  SubjectAltNameMatcher_SanType,
  type SubjectAltNameMatcherSchema,
  TlsParameters_TlsProtocol,
  type TlsParametersSchema,
} from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import { TRUST_BUNDLE, WORKLOAD_CERTIFICATE } from './secret/sds.ts';
import type { Init } from './protobuf.ts';

export type CommonTls = Init<typeof CommonTlsContextSchema>;
export type SanMatcher = Init<typeof SubjectAltNameMatcherSchema>;

/** Name under which Envoy's TLS transport socket is known. */
export const TLS_TRANSPORT = 'envoy.transport_sockets.tls';

// Forward secret AEAD suites; TLS 1.3 has its own and is not concerned.
const MESH_CIPHER_SUITES = [
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
];

/** TLS between workloads of the mesh. */
const MESH_TLS: Init<typeof TlsParametersSchema> = {
  tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_2,
  tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
  cipherSuites: MESH_CIPHER_SUITES,
};

/** Both ends of mesh mTLS: own certificate and trust bundle from the agent, and whom to accept. */
export function meshCommonTls(alpnProtocols: string[], peers: SanMatcher[]): CommonTls {
  return {
    tlsParams: MESH_TLS,
    alpnProtocols,
    tlsCertificateSdsSecretConfigs: [WORKLOAD_CERTIFICATE],
    validationContextType: {
      case: 'combinedValidationContext',
      value: {
        defaultValidationContext: { matchTypedSubjectAltNames: peers },
        validationContextSdsSecretConfig: TRUST_BUNDLE,
      },
    },
  };
}

/** Accepts exactly this URI as subject alternative name. */
export function exactUri(uri: string): SanMatcher {
  return { sanType: SubjectAltNameMatcher_SanType.URI, matcher: { matchPattern: { case: 'exact', value: uri } } };
}

/** Accepts every identity of a trust domain. */
export function anyOfTrustDomain(trustDomain: string): SanMatcher {
  return {
    sanType: SubjectAltNameMatcher_SanType.URI,
    matcher: { matchPattern: { case: 'prefix', value: `spiffe://${trustDomain}/` } },
  };
}
