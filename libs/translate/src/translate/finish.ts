import type { Draft } from './draft.ts';
import { encodeResource, type EncodedResource } from './encoded.ts';

/**
 * What is to be different in the resources of some proxies. A patch is told by its identity: a proxy that gets others has
 * resources of its own.
 */
export interface Patch {
  /** The draft as it is to be: the one given, where the patch does not concern it; always of the same type and name. */
  apply(draft: Draft): Draft;
}

export const NO_PATCHES: readonly Patch[] = [];

/** The last step of every resource: its patches in their order, and then its bytes. */
export function finish(draft: Draft, patches: readonly Patch[] = NO_PATCHES): EncodedResource {
  return encodeResource(patches.reduce<Draft>((patched, patch) => patch.apply(patched), draft));
}
