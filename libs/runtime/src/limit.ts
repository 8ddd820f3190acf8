/** A bound on what a peer, a file or a caller controls: a row of docs/limits.md. */
export interface Limit {
  /** Part of the mesh, a full stop, and what is bounded, in kebab-case: `citadel.request-bytes`. No two are the same. */
  readonly name: string;
  /** What is bounded, and of whom, in words that fit a table. */
  readonly what: string;
  readonly default: number;
  readonly unit: LimitUnit;
  /** What changes it: an option, or a field of the configuration. Left out when it is fixed. */
  readonly setting?: string;
  /** What happens past it: what the peer is told, what is counted, what goes on. */
  readonly past: string;
}

export type LimitUnit = 'bytes' | 'ms' | 'count' | 'per second' | 'levels';

const declared: Limit[] = [];

/**
 * Declares a bound and returns its default, so that a constant is its own documentation:
 * `const MAX_REQUEST_BYTES = limit({ name: 'citadel.request-bytes', default: 16 * 1024, … })`.
 * Called while a module loads, never later: docs/limits.md lists what the modules declare.
 */
export function limit(one: Limit): number {
  declared.push(one);
  return one.default;
}

/** What the modules loaded so far have declared, in that order. */
export function declaredLimits(): readonly Limit[] {
  return declared;
}
