import { createHash, X509Certificate, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { FlotillaError, type Clock } from '@flotilla/runtime';
import type { Inventory } from '@flotilla/runtime/disk';
import { uriSanOf } from '@flotilla/spiffe';
import { createRootCertificate } from '../sign/root-certificate.ts';
import { readPrivateKey } from './private-key.ts';
import { createSealedDirectory, hasSealedDirectory, readSealedFile } from './sealed-directory.ts';

const DIRECTORY = 'root';
const KEY_FILE = 'key.pem';
const CERTIFICATE_FILE = 'cert.pem';

export interface RootPair {
  readonly privateKey: KeyObject;
  readonly certificate: X509Certificate;
  readonly certificatePem: string;
}

/**
 * The mesh's root from `<dataDir>/root`, made there at the first start. Throws `system` when the directory cannot be
 * used, and `invalid` when the pair is not the one that the inventory remembers, is damaged, does not fit together, has
 * expired, belongs to another trust domain, or can be read by others.
 */
export async function openRoot(
  dataDir: string,
  trustDomain: string,
  clock: Clock,
  inventory: Inventory,
): Promise<RootPair> {
  const directory = join(dataDir, DIRECTORY);
  if (!hasSealedDirectory(directory)) {
    inventory.check('root', [], directory);
    const { privateKeyPem, certificatePem } = await createRootCertificate(trustDomain, clock.now());
    createSealedDirectory(directory, { [KEY_FILE]: privateKeyPem, [CERTIFICATE_FILE]: certificatePem });
  }
  const privateKey = readPrivateKey(directory, KEY_FILE);
  const certificatePem = readSealedFile(directory, CERTIFICATE_FILE);
  const certificate = checkedRoot(join(directory, CERTIFICATE_FILE), certificatePem, privateKey, trustDomain, clock);
  const identity = createHash('sha256').update(certificate.raw).digest('hex');
  inventory.check('root', [identity], directory);
  inventory.record('root', identity);
  return { privateKey, certificate, certificatePem };
}

/**
 * The root in `pem` as far as it can be used: an authority's certificate, of this key and trust domain, still valid.
 * `path` names it in errors. Throws `invalid`.
 */
export function checkedRoot(
  path: string,
  pem: string,
  key: KeyObject,
  trustDomain: string,
  clock: Clock,
): X509Certificate {
  const fault = (why: string, cause?: unknown) =>
    new FlotillaError('invalid', `${path} ${why}`, {
      ...(cause === undefined ? {} : { cause }),
      hint: 'Put the directory back from a backup, or start with another data directory and give every workload a new token.',
    });
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem);
  } catch (error) {
    throw fault('is damaged: it holds no certificate', error);
  }
  if (!certificate.ca) throw fault('is not the certificate of an authority');
  if (!certificate.checkPrivateKey(key)) throw fault('does not belong to the key beside it');
  if (certificate.validToDate.getTime() <= clock.now()) throw fault(`expired on ${certificate.validTo}`);
  const found = uriSanOf(certificate);
  if (found !== `spiffe://${trustDomain}`) {
    throw fault(`is the root of "${found ?? 'no trust domain'}", but the trust domain is "${trustDomain}"`);
  }
  return certificate;
}
