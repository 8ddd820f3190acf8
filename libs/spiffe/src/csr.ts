import { generateKeyPair, sign, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { bitString, booleanTrue, der, objectIdentifier, octetString, sequence, set, smallInteger } from './der.ts';
import { encodePem } from './pem.ts';
import { formatSpiffeId, type SpiffeId } from './spiffe-id.ts';

const ECDSA_WITH_SHA256 = sequence(objectIdentifier('1.2.840.10045.4.3.2'));
const EXTENSION_REQUEST = objectIdentifier('1.2.840.113549.1.9.14');
const SUBJECT_ALT_NAME = objectIdentifier('2.5.29.17');
const TAG_URI = 0x86;
const TAG_ATTRIBUTES = 0xa0;

const generateKeyPairAsync = promisify(generateKeyPair);

export interface KeyAndCsr {
  /** PKCS#8, PEM. */
  readonly privateKeyPem: string;
  /** PKCS#10, PEM: empty subject, one critical URI SAN. */
  readonly csrPem: string;
}

/**
 * Makes a new P-256 key and a signing request for this identity (RFC 2986). The key exists only in the result.
 *
 * Written with node:crypto and a handful of DER functions rather than with an X.509 library, because every sidecar
 * does this: `@peculiar/x509` costs a process 110 ms of start and 25 MB of memory. The tests read the result with
 * that library and with openssl.
 */
export async function createKeyAndCsr(id: SpiffeId): Promise<KeyAndCsr> {
  const uri = formatSpiffeId(id);
  const { privateKey, publicKey } = await generateKeyPairAsync('ec', { namedCurve: 'P-256' });
  return {
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    csrPem: encodePem('CERTIFICATE REQUEST', certificationRequest(uri, privateKey, publicKey)),
  };
}

function certificationRequest(uri: string, privateKey: KeyObject, publicKey: KeyObject): Buffer {
  const names = sequence(der(TAG_URI, Buffer.from(uri, 'ascii')));
  const extensions = sequence(sequence(SUBJECT_ALT_NAME, booleanTrue(), octetString(names)));
  const emptySubject = sequence();
  const requestInfo = sequence(
    smallInteger(0),
    emptySubject,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(TAG_ATTRIBUTES, sequence(EXTENSION_REQUEST, set(extensions))),
  );
  return sequence(requestInfo, ECDSA_WITH_SHA256, bitString(sign('sha256', requestInfo, privateKey)));
}
