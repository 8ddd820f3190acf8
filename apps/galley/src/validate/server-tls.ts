import { FAULT_CODES, quote } from '@flotilla/model';
import type { FaultList, FieldPath } from '@flotilla/model';
import type { ServerTLSSettings } from '@flotilla/wire/istio/networking/v1alpha3/gateway_pb.js';
import {
  ServerTLSSettings_TLSmode as TlsMode,
  ServerTLSSettings_TLSProtocol as TlsVersion,
} from '@flotilla/wire/istio/networking/v1alpha3/gateway_pb.js';

// Cipher suites of TLS 1.2 and before that both BoringSSL (Envoy) and OpenSSL (Node) have, by OpenSSL's names.
const CIPHER_SUITES = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-SHA',
  'ECDHE-RSA-AES128-SHA',
  'ECDHE-ECDSA-AES256-SHA',
  'ECDHE-RSA-AES256-SHA',
  'AES128-GCM-SHA256',
  'AES256-GCM-SHA384',
  'AES128-SHA',
  'AES256-SHA',
];

/** TLS of a gateway's server: plaintext protocols may only redirect, the others need certificates from files. */
export function checkServerTls(
  tls: ServerTLSSettings | undefined,
  protocol: string,
  path: FieldPath,
  faults: FaultList,
): void {
  const isEncrypted = protocol === 'HTTPS' || protocol === 'TLS';
  if (tls === undefined) {
    if (isEncrypted) faults.error(path, `a server of protocol ${protocol} needs tls`);
    return;
  }
  if (!isEncrypted) {
    const { $typeName: _name, $unknown: _unknown, httpsRedirect: _redirect, mode, ...rest } = tls;
    const others = Object.values(rest).some(
      (value) => value !== '' && value !== 0 && value !== undefined && !isEmptyList(value),
    );
    if (mode !== TlsMode.PASSTHROUGH || others) {
      faults.unexpected(path, `a server of protocol ${protocol} has no TLS`, 'Only httpsRedirect is allowed here.');
    }
    return;
  }
  if (tls.httpsRedirect) {
    faults.error([...path, 'httpsRedirect'], 'only a server of protocol HTTP can redirect to HTTPS');
  }
  if (tls.mode === TlsMode.PASSTHROUGH) refusePassthrough(path, faults);
  if (tls.mode === TlsMode.SIMPLE || tls.mode === TlsMode.MUTUAL) checkFiles(tls, path, faults);
  checkVersions(tls, path, faults);
  tls.cipherSuites.forEach((suite, index) => {
    if (CIPHER_SUITES.includes(suite)) return;
    faults.error(
      [...path, 'cipherSuites', index],
      `unknown cipher suite ${quote(suite)}`,
      `Allowed: ${CIPHER_SUITES.join(', ')}.`,
    );
  });
}

function checkFiles(tls: ServerTLSSettings, path: FieldPath, faults: FaultList): void {
  // Certificates from elsewhere are refused as not supported yet; missing files would be a second complaint.
  if (tls.credentialName !== '' || tls.credentialNames.length > 0 || tls.tlsCertificates.length > 0) return;
  const needed = [
    'serverCertificate',
    'privateKey',
    ...(tls.mode === TlsMode.MUTUAL ? ['caCertificates'] : []),
  ] as const;
  for (const name of needed) {
    if (tls[name as 'serverCertificate' | 'privateKey' | 'caCertificates'] !== '') continue;
    faults.error(path, `mode ${TlsMode[tls.mode]} needs ${name}`, 'Name a PEM file that the gateway can read.');
  }
}

function checkVersions(tls: ServerTLSSettings, path: FieldPath, faults: FaultList): void {
  const { minProtocolVersion: min, maxProtocolVersion: max } = tls;
  if (min !== TlsVersion.TLS_AUTO && max !== TlsVersion.TLS_AUTO && min > max) {
    faults.error([...path, 'minProtocolVersion'], `is above maxProtocolVersion ${TlsVersion[max]}`);
  }
}

function refusePassthrough(path: FieldPath, faults: FaultList): void {
  faults.add({
    severity: 'error',
    code: FAULT_CODES.unsupported,
    path: [...path, 'mode'],
    subject: 'value',
    message: 'the mode PASSTHROUGH, which no mode means, is not supported yet',
    hint: 'Write mode: SIMPLE or MUTUAL. If it were ignored, TLS connections would not be routed by server name.',
  });
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}
