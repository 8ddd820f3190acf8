import { createPrivateKey, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { FlotillaError } from '@flotilla/runtime';
import { readSealedFile } from './sealed-directory.ts';

/** Reads a P-256 key from a sealed directory. Throws `invalid` when it is damaged or of another kind. */
export function readPrivateKey(directory: string, name: string): KeyObject {
  return decodePrivateKey(readSealedFile(directory, name), join(directory, name));
}

/** A P-256 key from PEM; `where` names it in errors. Throws `invalid` when it is damaged or of another kind. */
export function decodePrivateKey(pem: string, where: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    throw new FlotillaError('invalid', `${where} is damaged: it holds no private key`, {
      cause: error,
      hint: 'Put the file back from a backup. A new key would cut off every workload that trusts the old one.',
    });
  }
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new FlotillaError('invalid', `${where} is not a P-256 key`);
  }
  return key;
}
