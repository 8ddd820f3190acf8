import type { ClusterSchema } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import type { TransportSocketSchema } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import { RawBufferSchema } from '@flotilla/wire/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js';
import { SubjectAltNameMatcher_SanType } from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import { UpstreamTlsContextSchema } from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import {
  type ClientTLSSettings,
  ClientTLSSettings_TLSmode as TlsMode,
} from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';
import type { MeshSettings } from '../../mesh/settings.ts';
import { type Init, typed } from '../protobuf.ts';
import { exactUri, meshCommonTls, type SanMatcher, TLS_TRANSPORT } from '../tls.ts';

type ClusterInit = Init<typeof ClusterSchema>;
type TransportSocket = Init<typeof TransportSocketSchema>;

// Where Debian, Ubuntu and Alpine keep the roots; Istio trusts the system's too when a rule names none.
const SYSTEM_ROOTS = '/etc/ssl/certs/ca-certificates.crt';

export interface UpstreamTls {
  /** `null`: no rule about TLS. */
  readonly settings: ClientTLSSettings | null;
  /** Server name of mesh mTLS to this cluster. */
  readonly meshServerName: string;
  /** Identities of its workloads; empty checks only that the peer is of the mesh. */
  readonly subjectAltNames: readonly string[];
  readonly isHttp2: boolean;
  /** Endpoints carry metadata that says which of them take mTLS. */
  readonly hasEndpointMetadata: boolean;
  readonly isExternal: boolean;
}

/**
 * The cluster's transport. A rule decides where there is one; otherwise, with auto mTLS, each endpoint gets mTLS
 * exactly when its metadata says `tlsMode: istio`.
 */
export function upstreamTransport(tls: UpstreamTls, mesh: MeshSettings): ClusterInit {
  if (tls.settings !== null) {
    const socket = fromRule(tls.settings, tls);
    return socket === null ? {} : { transportSocket: socket };
  }
  if (!mesh.config.enableAutoMtls || !tls.hasEndpointMetadata || tls.isExternal) return {};
  return {
    transportSocketMatches: [
      {
        name: 'tlsMode-istio',
        match: { tlsMode: 'istio' },
        transportSocket: meshSocket(tls.meshServerName, tls.subjectAltNames, tls),
      },
      {
        name: 'tlsMode-disabled',
        match: {},
        transportSocket: {
          name: 'envoy.transport_sockets.raw_buffer',
          configType: { case: 'typedConfig', value: typed(RawBufferSchema, {}) },
        },
      },
    ],
  };
}

function fromRule(settings: ClientTLSSettings, tls: UpstreamTls): TransportSocket | null {
  switch (settings.mode) {
    case TlsMode.DISABLE:
      return null;
    case TlsMode.ISTIO_MUTUAL:
      return meshSocket(
        settings.sni || tls.meshServerName,
        settings.subjectAltNames.length > 0 ? settings.subjectAltNames : tls.subjectAltNames,
        tls,
      );
    case TlsMode.SIMPLE:
    case TlsMode.MUTUAL:
      return originationSocket(settings, tls);
  }
}

function meshSocket(sni: string, sans: readonly string[], tls: UpstreamTls): TransportSocket {
  // "istio" marks mesh traffic for the server's filter chain match; h2 is offered only where the cluster speaks it.
  const alpn = ['istio-peer-exchange', 'istio', ...(tls.isHttp2 ? ['h2'] : [])];
  return tlsSocket({ commonTlsContext: meshCommonTls(alpn, sans.map(exactUri)), sni });
}

function originationSocket(settings: ClientTLSSettings, tls: UpstreamTls): TransportSocket {
  const isVerified = settings.insecureSkipVerify !== true;
  const sans =
    settings.subjectAltNames.length > 0 ? settings.subjectAltNames : tls.isExternal ? tls.subjectAltNames : [];
  return tlsSocket({
    // Without a name of its own a request's Host is sent; the HTTP cluster options turn that on.
    sni: settings.sni,
    commonTlsContext: {
      alpnProtocols: tls.isHttp2 ? ['h2'] : [],
      ...(settings.mode === TlsMode.MUTUAL
        ? {
            tlsCertificates: [
              { certificateChain: file(settings.clientCertificate), privateKey: file(settings.privateKey) },
            ],
          }
        : {}),
      ...(isVerified
        ? {
            validationContextType: {
              case: 'validationContext',
              value: {
                trustedCa: file(settings.caCertificates || SYSTEM_ROOTS),
                ...(settings.caCrl === '' ? {} : { crl: file(settings.caCrl) }),
                matchTypedSubjectAltNames: sans.flatMap(matchers),
              },
            },
          }
        : {}),
    },
  });
}

function matchers(name: string): SanMatcher[] {
  if (name.includes('://')) return [exactUri(name)];
  const matcher = { matchPattern: { case: 'exact' as const, value: name } };
  return [{ sanType: SubjectAltNameMatcher_SanType.DNS, matcher }];
}

function file(filename: string) {
  return { specifier: { case: 'filename' as const, value: filename } };
}

function tlsSocket(context: Init<typeof UpstreamTlsContextSchema>): TransportSocket {
  return {
    name: TLS_TRANSPORT,
    configType: { case: 'typedConfig', value: typed(UpstreamTlsContextSchema, context) },
  };
}
