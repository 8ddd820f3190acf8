import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';

/** What is read from a client's verified certificate, once per connection. */
export interface PeerCertificate {
  readonly uriSans: readonly string[];
  readonly dnsSans: readonly string[];
  /** RFC 2253 text, as `x-forwarded-client-cert` prints it. */
  readonly subject: string;
  /** SHA-256 of the DER form, lower-case hexadecimal. */
  readonly sha256: string;
  /** PEM of the leaf. */
  readonly pem: string;
}

/** Subject alternative names by kind. */
export interface SubjectAltNames {
  readonly uri: readonly string[];
  readonly dns: readonly string[];
  readonly ip: readonly string[];
  readonly email: readonly string[];
}

/** Null when the client showed none. */
export function peerCertificateOf(socket: TLSSocket): PeerCertificate | null {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return null;
  const names = subjectAltNamesOf(certificate);
  return {
    uriSans: names.uri,
    dnsSans: names.dns,
    subject: certificate.subject === undefined ? '' : certificate.subject.split('\n').reverse().join(','),
    sha256: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    pem: certificate.toString(),
  };
}

/**
 * Reads the text form of subject alternative names. Node quotes a name that holds a separator as a JSON string, so
 * that no name can pose as two.
 */
export function subjectAltNamesOf(certificate: X509Certificate): SubjectAltNames {
  const names = { uri: [] as string[], dns: [] as string[], ip: [] as string[], email: [] as string[] };
  const text = certificate.subjectAltName ?? '';
  for (const [, kind = '', quoted, bare = ''] of text.matchAll(/(?:^|, )([^:,]+):(?:("(?:[^"\\]|\\.)*")|([^,]*))/g)) {
    const value = quoted === undefined ? bare : unquoted(quoted);
    if (kind === 'URI') names.uri.push(value);
    else if (kind === 'DNS') names.dns.push(value);
    else if (kind === 'IP Address') names.ip.push(value);
    else if (kind === 'email') names.email.push(value);
  }
  return names;
}

/** A name whose quoting cannot be read is no name: it matches no rule. */
function unquoted(text: string): string {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'string' ? parsed : '';
  } catch {
    return '';
  }
}
