import type { XdsShortName } from '@flotilla/xds';
import type { ProxyView } from '@flotilla/translate';

/** Which resource types are made from each part of a view. */
const USED_BY: Readonly<Record<keyof ProxyView, readonly XdsShortName[]>> = {
  settings: ['CDS', 'EDS', 'LDS', 'RDS'],
  services: ['CDS', 'EDS', 'LDS', 'RDS'],
  // Clusters whose endpoints the proxy resolves carry them.
  endpoints: ['CDS', 'EDS'],
  // Routes and listeners say what requests and connections are hashed by.
  destinations: ['CDS', 'EDS', 'LDS', 'RDS'],
  egress: ['LDS', 'RDS'],
  sidecar: ['LDS', 'RDS'],
  inbound: ['CDS', 'LDS'],
  mtls: ['LDS'],
  gateways: ['LDS', 'RDS'],
  gatewayVirtualServices: ['LDS', 'RDS'],
};

/**
 * The types that may differ between two views of one proxy. Empty: the change does not concern it, and it gets no
 * message. Within a type the versions of the resources decide what is sent.
 */
export function affectedTypes(previous: ProxyView, next: ProxyView): ReadonlySet<XdsShortName> {
  const types = new Set<XdsShortName>();
  // The keys of the table are the view's.
  for (const part of Object.keys(USED_BY) as (keyof ProxyView)[]) {
    if (previous[part] !== next[part]) for (const type of USED_BY[part]) types.add(type);
  }
  return types;
}
