import { X509Certificate } from 'node:crypto';
import type { CertificateFacts, SubjectAltNames } from '@flotilla/stream';

/** A certificate as logs, headers and rules see it. What takes time to read is read when it is asked for, once. */
export class Certificate implements CertificateFacts {
  readonly x509: X509Certificate;
  #names: SubjectAltNames | null = null;
  #pem: string | null = null;

  constructor(x509: X509Certificate) {
    this.x509 = x509;
  }

  /** The first of a chain. */
  static ofPem(chainPem: string): Certificate {
    return new Certificate(new X509Certificate(chainPem));
  }

  get names(): SubjectAltNames {
    return (this.#names ??= subjectAltNamesOf(this.x509));
  }

  get subject(): string {
    return nameText(this.x509.subject);
  }

  get issuer(): string {
    return nameText(this.x509.issuer);
  }

  get serial(): string {
    return this.x509.serialNumber.toLowerCase();
  }

  get sha1(): string {
    return hexadecimal(this.x509.fingerprint);
  }

  get sha256(): string {
    return hexadecimal(this.x509.fingerprint256);
  }

  get pem(): string {
    return (this.#pem ??= this.x509.toString());
  }

  get validFromMs(): number {
    return this.x509.validFromDate.getTime();
  }

  get validToMs(): number {
    return this.x509.validToDate.getTime();
  }
}

/** Node has one part a line, the most general first; absent for an empty name. */
function nameText(lines: string | undefined): string {
  return lines === undefined ? '' : lines.split('\n').reverse().join(',');
}

function hexadecimal(fingerprint: string): string {
  return fingerprint.replaceAll(':', '').toLowerCase();
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
