/**
 * Names one resource. The versions of an API group share their resources, so the group stands without one:
 * a `VirtualService` written as v1beta1 and one written as v1 under the same name are the same resource.
 */
export interface ResourceKey {
  /** API group, "" for Kubernetes' core group. */
  readonly group: string;
  readonly kind: string;
  /** "" for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name: string;
}

/** Where something was written. Positions count from 1; 0 means the position is not known. */
export interface Origin {
  /** Path of the file, or a name for the caller, such as `api:alice`. */
  readonly source: string;
  readonly line: number;
  readonly column: number;
}

/** A text that is equal exactly for equal keys, for maps and sets: `group/kind/namespace/name`. */
export function formatKey(key: ResourceKey): string {
  return `${key.group}/${key.kind}/${key.namespace}/${key.name}`;
}

/** The inverse of `formatKey`; no part of a key contains a slash. `null` for any other text. */
export function parseKey(text: string): ResourceKey | null {
  const [group, kind, namespace, name, ...rest] = text.split('/');
  if (group === undefined || kind === undefined || namespace === undefined || name === undefined) return null;
  return rest.length === 0 ? { group, kind, namespace, name } : null;
}

/** The key for people: `VirtualService default/reviews`, `Namespace bookinfo`. */
export function describeKey(key: ResourceKey): string {
  return key.namespace === '' ? `${key.kind} ${key.name}` : `${key.kind} ${key.namespace}/${key.name}`;
}

/** The position for people: `mesh.yaml:12:5`, or the source alone when the position is not known. */
export function formatOrigin(origin: Origin): string {
  return origin.line === 0 ? origin.source : `${origin.source}:${origin.line}:${origin.column}`;
}

/** Orders keys by kind, namespace and name, for listings. */
export function compareKeys(a: ResourceKey, b: ResourceKey): number {
  return (
    compareText(a.kind, b.kind) ||
    compareText(a.namespace, b.namespace) ||
    compareText(a.name, b.name) ||
    compareText(a.group, b.group)
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
