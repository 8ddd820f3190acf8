import type { Secret, SecretHolder, SecretStore } from '../ports/secret-store.ts';

/** A holder whose value its source sets. */
export interface SettableSecret extends SecretHolder {
  /** Sets a value; a value equal to the present one is no change. */
  set(secret: Secret): void;
}

/** The secrets of one process: `holder` for those who use them, `settable` for those who deliver. */
export interface SecretTable extends SecretStore {
  holder(name: string): SettableSecret;
  /** Every name that was ever asked for. */
  names(): string[];
}

export function createSecretTable(): SecretTable {
  const holders = new Map<string, SettableSecret>();
  return {
    holder(name) {
      const known = holders.get(name);
      if (known !== undefined) return known;
      const created = createHolder(name);
      holders.set(name, created);
      return created;
    },
    names: () => [...holders.keys()],
  };
}

function createHolder(name: string): SettableSecret {
  const listeners = new Set<() => void>();
  let current: Secret | null = null;
  let version = 0;
  return {
    name,
    current: () => current,
    version: () => version,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    set(secret) {
      if (current !== null && isEqual(current, secret)) return;
      current = secret;
      version += 1;
      for (const listener of [...listeners]) listener();
    },
  };
}

function isEqual(a: Secret, b: Secret): boolean {
  if (a.kind === 'certificate') {
    return b.kind === 'certificate' && a.chainPem === b.chainPem && a.privateKeyPem === b.privateKeyPem;
  }
  return b.kind === 'validation' && a.trustedCaPem === b.trustedCaPem;
}
