import type { Clock, Random } from '@flotilla/runtime';
import type { Discovery } from './cluster-settings.ts';
import { type Lookup, watchName } from './dns.ts';
import type { EndpointGroup, EndpointSpec } from '@flotilla/cluster';

/**
 * Resolves the names in a DNS cluster's endpoints and gives the groups with addresses in their place, after each
 * change. A host keeps the name it came from as its hostname. First called when every name was looked up once.
 * Returns the function that ends it.
 */
export function resolveGroups(
  discovery: Discovery & { readonly kind: 'dns' },
  tools: { readonly lookup: Lookup; readonly clock: Clock; readonly random: Random },
  events: {
    readonly onGroups: (groups: readonly EndpointGroup[]) => void;
    readonly onFailure: (hostname: string, error: unknown) => void;
  },
): () => void {
  const addressesOf = new Map<string, readonly string[]>();
  const names = new Set(
    discovery.groups.flatMap((group) => group.endpoints.filter((each) => each.path === null).map((each) => each.host)),
  );
  let isStarting = true;

  function publish(): void {
    if (isStarting || addressesOf.size < names.size) return;
    events.onGroups(
      discovery.groups.map((group) => ({ ...group, endpoints: group.endpoints.flatMap((spec) => expand(spec)) })),
    );
  }

  function expand(spec: EndpointSpec): EndpointSpec[] {
    if (spec.path !== null) return [spec];
    const hostname = spec.hostname === '' ? spec.host : spec.hostname;
    return (addressesOf.get(spec.host) ?? []).map((host) => ({ ...spec, host, hostname }));
  }

  const watches = [...names].map((name) =>
    watchName(
      name,
      discovery.dns,
      tools,
      (addresses) => {
        const before = addressesOf.get(name);
        addressesOf.set(name, addresses);
        if (before === undefined || !isSameSet(before, addresses)) publish();
      },
      (error) => events.onFailure(name, error),
    ),
  );
  isStarting = false;
  // Names that are addresses are there at once.
  if (watches.length === addressesOf.size) queueMicrotask(publish);
  return () => {
    for (const watch of watches) watch.close();
  };
}

function isSameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each) => b.includes(each));
}
