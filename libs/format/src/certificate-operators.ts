import { compileTimeFormat } from './time-format.ts';
import type { StreamInfo, CertificateFacts } from '@flotilla/stream';
import type { OperatorFactory, OperatorValue } from './operator.ts';

/** Finds a certificate of one side of a stream; null: there is none. */
type Finder = (info: StreamInfo) => CertificateFacts | null;

const peerOfClient: Finder = (info) => info.connection.tls?.peer ?? null;
const ownToClient: Finder = (info) => info.connection.tls?.own ?? null;
const peerOfUpstream: Finder = (info) => info.upstreamTls?.peer ?? null;
const ownToUpstream: Finder = (info) => info.upstreamTls?.own ?? null;

/** What can be told of a certificate, by the end of the operator's name. */
const TEXTS: Readonly<Record<string, (certificate: CertificateFacts) => string>> = {
  URI_SAN: ({ names }) => names.uri.join(),
  DNS_SAN: ({ names }) => names.dns.join(),
  IP_SAN: ({ names }) => names.ip.join(),
  EMAIL_SAN: ({ names }) => names.email.join(),
  SUBJECT: ({ subject }) => subject,
  ISSUER: ({ issuer }) => issuer,
  SERIAL: ({ serial }) => serial,
  FINGERPRINT_1: ({ sha1 }) => sha1,
  FINGERPRINT_256: ({ sha256 }) => sha256,
  CERT: ({ pem }) => encodeURIComponent(pem),
};

const TIMES: Readonly<Record<string, (certificate: CertificateFacts) => number>> = {
  CERT_V_START: ({ validFromMs }) => validFromMs,
  CERT_V_END: ({ validToMs }) => validToMs,
};

const SIDES: readonly (readonly [prefix: string, find: Finder, ends: readonly string[]])[] = [
  ['DOWNSTREAM_PEER_', peerOfClient, [...Object.keys(TEXTS), ...Object.keys(TIMES)]],
  ['DOWNSTREAM_LOCAL_', ownToClient, ['URI_SAN', 'DNS_SAN', 'IP_SAN', 'EMAIL_SAN', 'SUBJECT']],
  [
    'UPSTREAM_PEER_',
    peerOfUpstream,
    ['URI_SAN', 'DNS_SAN', 'IP_SAN', 'SUBJECT', 'ISSUER', 'CERT', ...Object.keys(TIMES)],
  ],
  ['UPSTREAM_LOCAL_', ownToUpstream, ['URI_SAN', 'DNS_SAN', 'IP_SAN']],
];

/** `%DOWNSTREAM_PEER_SUBJECT%` and what else Envoy tells of certificates, of both sides of both connections. */
export const certificateOperators: readonly (readonly [string, OperatorFactory])[] = SIDES.flatMap(
  ([prefix, find, ends]) => ends.map((end) => [`${prefix}${end}`, operatorOf(find, end)] as const),
);

function operatorOf(find: Finder, end: string): OperatorFactory {
  const time = TIMES[end];
  if (time !== undefined) return (argument) => timeOf(find, time, argument);
  const text = TEXTS[end] ?? (() => '');
  return () => (info) => {
    const certificate = find(info);
    return (certificate === null ? '' : text(certificate)) || null;
  };
}

function timeOf(find: Finder, time: (certificate: CertificateFacts) => number, format: string | null): OperatorValue {
  const print = compileTimeFormat(format ?? '%Y-%m-%dT%H:%M:%E3SZ');
  return (info) => {
    const certificate = find(info);
    return certificate === null ? null : print(time(certificate));
  };
}
