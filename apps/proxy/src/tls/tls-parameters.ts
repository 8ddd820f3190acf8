import type { SecureVersion } from 'node:tls';
import { DEFAULT_CIPHERS, TLS13_CIPHERS } from '@flotilla/rpc/ciphers';
import {
  type TlsParameters,
  TlsParameters_TlsProtocol as Protocol,
} from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import { refuse } from '@flotilla/envoy';

/** `TlsParameters` as options of Node's secure context. */
export interface TlsParameterOptions {
  readonly minVersion: SecureVersion;
  readonly maxVersion: SecureVersion;
  readonly ciphers: string;
  readonly ecdhCurve?: string;
  readonly sigalgs?: string;
}

// Node's secure context with BoringSSL's names for what OpenSSL calls otherwise.
const CURVES: Readonly<Record<string, string>> = { 'P-256': 'prime256v1', 'P-384': 'secp384r1', 'P-521': 'secp521r1' };

/** Server defaults are Envoy's: TLS 1.2 to 1.3. */
export function compileTlsParameters(params: TlsParameters | undefined, path: string): TlsParameterOptions {
  const minVersion = versionOf(params?.tlsMinimumProtocolVersion ?? Protocol.TLS_AUTO, 'TLSv1.2');
  const maxVersion = versionOf(params?.tlsMaximumProtocolVersion ?? Protocol.TLS_AUTO, 'TLSv1.3');
  if (minVersion > maxVersion) refuse(`${path}.tls_minimum_protocol_version`, 'is above the maximum');
  return {
    minVersion,
    maxVersion,
    // TLS 1.3 suites are not Envoy's to choose; they stay available below an explicit list.
    ciphers:
      params === undefined || params.cipherSuites.length === 0
        ? DEFAULT_CIPHERS
        : `${TLS13_CIPHERS}:${params.cipherSuites.flatMap(cipherNames).join(':')}`,
    ...(params === undefined || params.ecdhCurves.length === 0
      ? {}
      : { ecdhCurve: params.ecdhCurves.map((curve) => CURVES[curve] ?? curve).join(':') }),
    ...(params === undefined || params.signatureAlgorithms.length === 0
      ? {}
      : { sigalgs: params.signatureAlgorithms.join(':') }),
  };
}

/** BoringSSL writes groups of equal preference as `[A|B]`. */
function cipherNames(suite: string): string[] {
  return suite.replace(/^\[|\]$/g, '').split('|');
}

function versionOf(protocol: Protocol, automatic: SecureVersion): SecureVersion {
  switch (protocol) {
    case Protocol.TLS_AUTO:
      return automatic;
    case Protocol.TLSv1_0:
      return 'TLSv1';
    case Protocol.TLSv1_1:
      return 'TLSv1.1';
    case Protocol.TLSv1_2:
      return 'TLSv1.2';
    case Protocol.TLSv1_3:
      return 'TLSv1.3';
  }
}
