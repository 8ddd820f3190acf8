import { createHash, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import type { Inventory } from '@flotilla/runtime/disk';
import { readPrivateKey } from './private-key.ts';
import { openFileTokenStore, TOKEN_FILE } from '../tokens/file-store.ts';
import type { TokenStore } from '../tokens/token-store.ts';
import { createSealedDirectory, hasSealedDirectory } from './sealed-directory.ts';

const DIRECTORY = 'token';
const KEY_FILE = 'key.pem';

/**
 * The key that signs bootstrap tokens and what became of these, from `<dataDir>/token`, made there at the first start.
 * Throws as `openRoot`. The caller closes the store.
 */
export function openTokens(
  dataDir: string,
  inventory: Inventory,
): { readonly tokenKey: KeyObject; readonly tokenStore: TokenStore } {
  const directory = join(dataDir, DIRECTORY);
  if (!hasSealedDirectory(directory)) {
    inventory.check('token-key', [], directory);
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    createSealedDirectory(directory, {
      [KEY_FILE]: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      // Made with the key, so that it is missing later only when somebody took it away.
      [TOKEN_FILE]: '',
    });
  }
  const key = readPrivateKey(directory, KEY_FILE);
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const identity = createHash('sha256').update(publicKey).digest('hex');
  inventory.check('token-key', [identity], directory);
  inventory.record('token-key', identity);
  return { tokenKey: key, tokenStore: openFileTokenStore(directory) };
}
