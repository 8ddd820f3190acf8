import { FlotillaError } from '@flotilla/runtime';
import { der, objectIdentifier } from './der.ts';

/** Which bootstrap token a certificate goes back to, through all of its renewals. */
export interface TokenGrant {
  readonly tokenId: string;
  /** The only workload that the token is for; `null`: any that its service account has. */
  readonly workload: string | null;
}

/** Of the non-critical extension that carries the grant: an arc of 2.25 (X.667), which needs no registration. */
export const TOKEN_GRANT_OID = '2.25.1728412309';

/** The value of the extension: JSON as a UTF8String. */
export function encodeTokenGrant({ tokenId, workload }: TokenGrant): Buffer {
  return der(UTF8_STRING, Buffer.from(JSON.stringify(workload === null ? [tokenId] : [tokenId, workload])));
}

/**
 * The grant in a certificate, DER; `null` for one that goes back to no token. The certificate must have been verified:
 * only the mesh's own authority writes this extension. Throws `invalid` for an extension that it did not write.
 */
export function tokenGrantOf(certificate: Uint8Array): TokenGrant | null {
  const value = extensionValue(Buffer.from(certificate), objectIdentifier(TOKEN_GRANT_OID));
  if (value === null) return null;
  const [text] = elements(value);
  const parts: unknown = text?.tag === UTF8_STRING ? jsonOf(text.content) : null;
  if (
    Array.isArray(parts) &&
    parts.length >= 1 &&
    parts.length <= 2 &&
    parts.every((part) => typeof part === 'string')
  ) {
    const [tokenId = '', workload = null] = parts;
    return { tokenId, workload };
  }
  throw new FlotillaError('invalid', 'the certificate names its bootstrap token in a form that is not understood');
}

const BOOLEAN = 0x01;
const OCTET_STRING = 0x04;
const UTF8_STRING = 0x0c;
/** `[3]` of TBSCertificate (RFC 5280, section 4.1). */
const EXTENSIONS = 0xa3;

interface Element {
  readonly tag: number;
  readonly content: Buffer;
  /** Tag, length and content. */
  readonly bytes: Buffer;
}

/** `extnValue` of the extension with this identifier (encoded), without its octet string; `null` without one. */
function extensionValue(certificate: Buffer, identifier: Buffer): Buffer | null {
  const [outer] = elements(certificate);
  const [tbs] = elements(outer?.content ?? EMPTY);
  const wrapped = elements(tbs?.content ?? EMPTY).find(({ tag }) => tag === EXTENSIONS);
  const [list] = elements(wrapped?.content ?? EMPTY);
  for (const extension of elements(list?.content ?? EMPTY)) {
    const [id, ...rest] = elements(extension.content);
    if (id?.bytes.equals(identifier) !== true) continue;
    const value = rest.find(({ tag }) => tag !== BOOLEAN);
    return value?.tag === OCTET_STRING ? value.content : EMPTY;
  }
  return null;
}

const EMPTY = Buffer.alloc(0);

/** The DER elements that follow each other in these bytes. Throws `invalid` for bytes that are none. */
function elements(bytes: Buffer): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < bytes.length;) {
    const first = bytes[at + 1] ?? 0;
    const lengthOctets = first < 0x80 ? 0 : first & 0x7f;
    const start = at + 2 + lengthOctets;
    if (lengthOctets > 3 || start > bytes.length) throw new FlotillaError('invalid', 'the certificate is no DER');
    const length = lengthOctets === 0 ? first : bytes.readUIntBE(at + 2, lengthOctets);
    const end = start + length;
    if (end > bytes.length) throw new FlotillaError('invalid', 'the certificate is no DER');
    found.push({ tag: bytes[at] ?? 0, content: bytes.subarray(start, end), bytes: bytes.subarray(at, end) });
    at = end;
  }
  return found;
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return null;
  }
}
