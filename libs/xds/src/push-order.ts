import type { XdsShortName } from './type-urls.ts';

/**
 * Make before break (xDS protocol, "eventual consistency considerations"): what is referred to is sent
 * before what refers to it.
 */
export const PUSH_ORDER: readonly XdsShortName[] = ['CDS', 'EDS', 'LDS', 'RDS', 'SDS', 'ECDS'];

/** Removals go the other way: what refers goes before what it refers to. */
export const REMOVAL_ORDER: readonly XdsShortName[] = PUSH_ORDER.toReversed();

/** Sorts type names by the order in which additions and changes are sent. */
export function inPushOrder(types: Iterable<XdsShortName>): XdsShortName[] {
  const wanted = new Set(types);
  return PUSH_ORDER.filter((type) => wanted.has(type));
}
