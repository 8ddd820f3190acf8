import type { JsonObject } from '@bufbuild/protobuf';
import type { Metadata } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';

/** What of a host's `envoy.lb` metadata a request goes by (`metadata_match`). */
export interface MetadataMatch {
  /** Names of the keys, in order; equal for all matches of the same keys. */
  readonly keys: string;
  /** Keys and values; equal for equal matches. */
  readonly id: string;
  readonly wanted: JsonObject;
}

/** Of `envoy.lb`; null where it holds nothing. */
export function metadataMatchOf(metadata: Metadata | undefined): MetadataMatch | null {
  const wanted = metadata?.filterMetadata['envoy.lb'];
  return wanted === undefined || Object.keys(wanted).length === 0 ? null : matchOf(wanted);
}

/** The pairs of both; `inner` wins, as a weighted cluster over its route. */
export function mergeMatches(outer: MetadataMatch | null, inner: MetadataMatch | null): MetadataMatch | null {
  if (outer === null || inner === null) return inner ?? outer;
  return matchOf({ ...outer.wanted, ...inner.wanted });
}

/** The match of these pairs. */
export function matchOf(wanted: JsonObject): MetadataMatch {
  const names = Object.keys(wanted).sort();
  return { keys: keysOf(names), id: JSON.stringify(names.map((name) => [name, wanted[name]])), wanted };
}

/** Names of keys as `MetadataMatch` has them. */
export function keysOf(names: readonly string[]): string {
  return JSON.stringify([...names].sort());
}
