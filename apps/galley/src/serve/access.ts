import type { Caller } from '@flotilla/rpc';
import { formatSpiffeId } from '@flotilla/spiffe';
import type { WriteScope } from '../write/scope.ts';

/** Decides about every call by who makes it. Both throw `unauthenticated` or `forbidden`, in words for the caller. */
export interface AccessPolicy {
  /** Get, List, ListChanges, Watch, and Validate where it looks at what the mesh has. */
  read(caller: Caller): void;
  /** Apply and Delete. */
  write(caller: Caller): WriteScope;
}

export interface AccessOptions {
  /** Throws for whoever is no administrator. Administrators may do everything. */
  readonly assertAdmin: (caller: Caller) => void;
  /** SPIFFE IDs, proved by client certificate, that may read everything and write registrations: those of pilots. */
  readonly registrars: readonly string[];
}

/** The policy of a galley that serves a network: administrators, and pilots for what they register. */
export function compileAccess({ assertAdmin, registrars }: AccessOptions): AccessPolicy {
  const known = new Set(registrars);
  // A token that is shown must hold, whatever the certificate says.
  const isRegistrar = ({ spiffeId, bearerToken }: Caller): boolean =>
    bearerToken === null && spiffeId !== null && known.has(formatSpiffeId(spiffeId));
  return {
    read(caller) {
      if (!isRegistrar(caller)) assertAdmin(caller);
    },
    write(caller) {
      try {
        assertAdmin(caller);
        return 'anything';
      } catch (error) {
        if (isRegistrar(caller)) return 'registrations';
        throw error;
      }
    },
  };
}
