import { changedEndpoints, isClusterChanged, type ProxyView } from '@flotilla/translate';
import type { XdsShortName } from '@flotilla/xds';

/** Of one type: the names whose resources may differ; `all`: any of them. */
export type Affected = 'all' | ReadonlySet<string>;

/**
 * What may differ between two views of one proxy, by type. Empty: the change does not concern it, and it gets no message.
 * Of what is on offer as a whole (clusters, listeners) the offers themselves tell which names differ. Within a type the
 * versions of the resources decide what is sent.
 */
export function affectedTypes(previous: ProxyView, next: ProxyView): ReadonlyMap<XdsShortName, Affected> {
  const affected = new Map<XdsShortName, Affected>();
  const isScopeChanged = previous.scope !== next.scope;
  const isInboundChanged = previous.own.inbound !== next.own.inbound;
  if (isInboundChanged || isClusterChanged(previous, next)) affected.set('CDS', NONE);
  const endpoints = changedEndpoints(previous, next);
  if (endpoints === 'all' || endpoints.size > 0) affected.set('EDS', endpoints);
  if (isScopeChanged || isInboundChanged || previous.own.mtls !== next.own.mtls) affected.set('LDS', NONE);
  // Routes and listeners say what requests and connections are hashed by, and which of them go on to unknown places.
  if (isScopeChanged) affected.set('RDS', 'all');
  return affected;
}

const NONE: ReadonlySet<string> = new Set();
