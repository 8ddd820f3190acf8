import { createHash, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import type { Inventory } from '@flotilla/runtime/disk';
import { readPrivateKey } from './private-key.ts';
import { createSealedDirectory, hasSealedDirectory } from './sealed-directory.ts';

const DIRECTORY = 'token';
const KEY_FILE = 'key.pem';

/** The key that signs bootstrap tokens, from `<dataDir>/token`, made there at the first start. Throws as `openRoot`. */
export function openTokenKey(dataDir: string, inventory: Inventory): KeyObject {
  const directory = join(dataDir, DIRECTORY);
  if (!hasSealedDirectory(directory)) {
    inventory.check('token-key', [], directory);
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    createSealedDirectory(directory, { [KEY_FILE]: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() });
  }
  const key = readPrivateKey(directory, KEY_FILE);
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const identity = createHash('sha256').update(publicKey).digest('hex');
  inventory.check('token-key', [identity], directory);
  inventory.record('token-key', identity);
  return key;
}
