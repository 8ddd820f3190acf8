import type { X509Certificate } from 'node:crypto';

/** The bits of key usage that matter here (RFC 5280, section 4.2.1.3). */
export interface KeyUsage {
  readonly digitalSignature: boolean;
  readonly keyCertSign: boolean;
  readonly crlSign: boolean;
}

const BOOLEAN = 0x01;
const BIT_STRING = 0x03;
const EXTENSIONS = 0xa3;
/** Contents of the object identifiers 2.5.29.15 and 2.5.29.19. */
const KEY_USAGE = '551d0f';
const BASIC_CONSTRAINTS = '551d13';

/*
 * Node tells neither of these extensions. OpenSSL has read the certificate already, so that its DER is well-formed:
 * this only finds the place.
 */

/** Null: the certificate does not say what its key is for. */
export function keyUsageOf(certificate: X509Certificate): KeyUsage | null {
  const value = extensionOf(certificate.raw, KEY_USAGE);
  const bits = value === null ? undefined : elements(value)[0];
  if (bits?.tag !== BIT_STRING) return null;
  // The first octet counts the unused bits.
  const first = bits.content[1] ?? 0;
  return {
    digitalSignature: (first & 0x80) !== 0,
    keyCertSign: (first & 0x04) !== 0,
    crlSign: (first & 0x02) !== 0,
  };
}

/** Whether `cA` is true, whatever else the certificate says. */
export function basicConstraintsSayCa(certificate: X509Certificate): boolean {
  const value = extensionOf(certificate.raw, BASIC_CONSTRAINTS);
  const constraints = value === null ? undefined : elements(value)[0];
  const first = constraints === undefined ? undefined : elements(constraints.content)[0];
  return first?.tag === BOOLEAN && first.content[0] !== 0;
}

/** What an extension's octet string holds; null: there is no such extension. */
function extensionOf(der: Buffer, oid: string): Buffer | null {
  const certificate = elements(der)[0];
  const body = certificate === undefined ? undefined : elements(certificate.content)[0];
  const tagged = body === undefined ? undefined : elements(body.content).find(({ tag }) => tag === EXTENSIONS);
  const list = tagged === undefined ? undefined : elements(tagged.content)[0];
  for (const extension of list === undefined ? [] : elements(list.content)) {
    const parts = elements(extension.content);
    if (parts[0]?.content.toString('hex') === oid) return parts.at(-1)?.content ?? null;
  }
  return null;
}

interface Element {
  readonly tag: number;
  readonly content: Buffer;
}

/** The elements one after another (X.690, section 8.1). */
function elements(der: Buffer): Element[] {
  const found: Element[] = [];
  for (let at = 0; at + 2 <= der.length;) {
    const tag = der[at] ?? 0;
    const first = der[at + 1] ?? 0;
    const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
    if (lengthBytes > 4 || at + 2 + lengthBytes > der.length) return found;
    const length = lengthBytes === 0 ? first : der.readUIntBE(at + 2, lengthBytes);
    const start = at + 2 + lengthBytes;
    found.push({ tag, content: der.subarray(start, start + length) });
    at = start + length;
  }
  return found;
}
