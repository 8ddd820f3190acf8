import 'reflect-metadata';
import { createPublicKey, type KeyObject } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { FlotillaError, limit } from '@flotilla/runtime';
import { splitPem } from '@flotilla/spiffe';

/** A name that a request asks for, such as `{ kind: 'url', value: 'spiffe://…' }`. */
export interface RequestedName {
  readonly kind: string;
  readonly value: string;
}

/** What a certificate signing request asks for; its signature is verified and its key is acceptable. */
export interface SigningRequest {
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer;
  /** Every subject alternative name, of every kind. */
  readonly names: readonly RequestedName[];
  /** Common names in the subject. */
  readonly commonNames: readonly string[];
  readonly asksForAuthority: boolean;
}

const MAX_PEM_BYTES = limit({
  name: 'citadel.signing-request-bytes',
  what: 'certificate signing request',
  default: 16 * 1024,
  unit: 'bytes',
  past: 'refused as invalid',
});
const LABELS = new Set(['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST']);
const EXTENSION_REQUESTS = new Set(['1.2.840.113549.1.9.14', '1.3.6.1.4.1.311.2.1.14']);
const HASHES = new Set(['SHA-256', 'SHA-384', 'SHA-512']);

/**
 * Reads a PKCS#10 request (RFC 2986) from PEM and verifies that its sender has the key. Keys: P-256, P-384, or RSA
 * from 2048 to 4096 bits. Throws `invalid` for whatever cannot be signed.
 */
export async function decodeSigningRequest(pem: string): Promise<SigningRequest> {
  if (pem.length > MAX_PEM_BYTES) throw refusal(`it is larger than ${MAX_PEM_BYTES} bytes`);
  const [block, ...more] = splitPem(pem);
  if (block === undefined || more.length > 0 || !LABELS.has(block.label)) {
    throw refusal('expected exactly one PEM block CERTIFICATE REQUEST');
  }
  let request: x509.Pkcs10CertificateRequest;
  let isSigned: boolean;
  let read: Omit<SigningRequest, 'publicKey'>;
  try {
    request = new x509.Pkcs10CertificateRequest(block.der);
    read = {
      names: namesOf(request),
      commonNames: commonNamesOf(request),
      asksForAuthority: asksForAuthority(request),
    };
    isSigned = HASHES.has(hashOf(request)) && (await request.verify());
  } catch (error) {
    throw refusal('it cannot be read', error);
  }
  const publicKey = acceptableKey(request);
  if (!isSigned) throw refusal('its signature does not verify with its own key (SHA-256 or better)');
  return { publicKey, ...read };
}

function refusal(why: string, cause?: unknown): FlotillaError {
  return new FlotillaError('invalid', `the certificate signing request is refused: ${why}`, { cause });
}

function acceptableKey(request: x509.Pkcs10CertificateRequest): Buffer {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: 'der', type: 'spki' });
  } catch (error) {
    throw refusal('its public key cannot be read', error);
  }
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  const isAcceptable =
    key.asymmetricKeyType === 'rsa'
      ? modulusLength >= 2048 && modulusLength <= 4096
      : namedCurve === 'prime256v1' || namedCurve === 'secp384r1';
  if (!isAcceptable) throw refusal('its key is neither P-256, P-384 nor RSA of 2048 to 4096 bits');
  return key.export({ type: 'spki', format: 'der' });
}

function hashOf(request: x509.Pkcs10CertificateRequest): string {
  // WebCrypto's type says that every algorithm here has a hash; Ed25519 has none.
  const { hash }: { readonly hash?: { readonly name?: string } } = request.signatureAlgorithm;
  return hash?.name ?? '';
}

/** Extensions of every extension request: a second one must not hide behind the first. */
function extensionsOf(request: x509.Pkcs10CertificateRequest): readonly x509.Extension[] {
  return request.attributes
    .filter((attribute) => EXTENSION_REQUESTS.has(attribute.type))
    .flatMap((attribute) => attribute.values.map((value) => new x509.ExtensionsAttribute(extensionAttribute(value))))
    .flatMap((attribute) => attribute.items);
}

/** One value of an attribute, as an extension request of its own. */
function extensionAttribute(value: ArrayBuffer): ArrayBuffer {
  return new x509.Attribute('1.2.840.113549.1.9.14', [value]).rawData;
}

function namesOf(request: x509.Pkcs10CertificateRequest): RequestedName[] {
  return extensionsOf(request)
    .filter((extension) => extension instanceof x509.SubjectAlternativeNameExtension)
    .flatMap((extension) => extension.names.items.map((name) => ({ kind: name.type, value: name.value })));
}

function commonNamesOf(request: x509.Pkcs10CertificateRequest): string[] {
  return request.subjectName.getField('CN');
}

function asksForAuthority(request: x509.Pkcs10CertificateRequest): boolean {
  return extensionsOf(request).some(
    (extension) =>
      (extension instanceof x509.BasicConstraintsExtension && extension.ca) ||
      (extension instanceof x509.KeyUsagesExtension && (extension.usages & x509.KeyUsageFlags.keyCertSign) !== 0),
  );
}
