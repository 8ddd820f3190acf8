import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { readPrivateKey } from './private-key.ts';
import { createSealedDirectory, hasSealedDirectory } from './sealed-directory.ts';

const DIRECTORY = 'token';
const KEY_FILE = 'key.pem';

/** The key that signs bootstrap tokens, from `<dataDir>/token`, made there at the first start. Throws as `openRoot`. */
export function openTokenKey(dataDir: string): KeyObject {
  const directory = join(dataDir, DIRECTORY);
  if (!hasSealedDirectory(directory)) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    createSealedDirectory(directory, { [KEY_FILE]: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() });
  }
  return readPrivateKey(directory, KEY_FILE);
}
