import { FlotillaError } from '@flotilla/runtime';
import { formatSpiffeId } from '@flotilla/spiffe';

/**
 * The SPIFFE ids of these workloads in order, each once. A service account whose name makes no id has none: no
 * certificate can bear it either.
 */
export function identities(
  holders: readonly { readonly namespace: string; readonly serviceAccount: string }[],
  trustDomain: string,
): string[] {
  const found = new Set<string>();
  for (const { namespace, serviceAccount } of holders) {
    const id = identityOf({ trustDomain, namespace, serviceAccount });
    if (id !== null) found.add(id);
  }
  return [...found].sort();
}

function identityOf(id: Parameters<typeof formatSpiffeId>[0]): string | null {
  try {
    return formatSpiffeId(id);
  } catch (error) {
    // A name that makes no id, which is for those to say who write it: here nobody can bear it.
    if (FlotillaError.from(error).code === 'invalid') return null;
    throw error;
  }
}
