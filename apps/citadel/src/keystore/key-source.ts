import type { KeyObject } from 'node:crypto';
import type { Clock } from '@flotilla/runtime';
import { type Inventory, openInventory } from '@flotilla/runtime/disk';
import { decodePrivateKey } from './private-key.ts';
import { checkedRoot, openRoot, type RootPair } from './root.ts';
import { openTokenKey } from './token-key.ts';

/** Where citadel's keys come from. */
export type KeySource =
  /** Kept by citadel itself: made in this directory at the first start. Without an inventory they are remembered there. */
  | { readonly directory: string; readonly inventory?: Inventory }
  /** Kept by the platform, such as in secrets, and the same for every replica. PEM. */
  | { readonly rootCertificatePem: string; readonly rootKeyPem: string; readonly tokenKeyPem: string };

export interface Keys {
  readonly root: RootPair;
  /** Signs bootstrap tokens. */
  readonly tokenKey: KeyObject;
}

/** Throws `system` when the directory cannot be used, `invalid` for keys that cannot; see `openRoot`. */
export async function openKeys(source: KeySource, trustDomain: string, clock: Clock): Promise<Keys> {
  if ('directory' in source) {
    const { directory, inventory = openInventory({ places: [directory] }) } = source;
    const root = await openRoot(directory, trustDomain, clock, inventory);
    return { root, tokenKey: openTokenKey(directory, inventory) };
  }
  const privateKey = decodePrivateKey(source.rootKeyPem, 'the root key');
  const certificatePem = source.rootCertificatePem;
  const certificate = checkedRoot('the root certificate', certificatePem, privateKey, trustDomain, clock);
  return {
    root: { privateKey, certificate, certificatePem },
    tokenKey: decodePrivateKey(source.tokenKeyPem, 'the token key'),
  };
}
