import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type VirtualHost, VirtualHostSchema } from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { identityOf, keyOf, PairMemo } from '../../identity.ts';
import type { Config } from '../../mesh/config.ts';
import type { LabelList } from '../../mesh/label-list.ts';
import type { MeshSettings } from '../../mesh/settings.ts';
import type { Service } from '../../registry/service.ts';
import type { HashedService } from './hash-policy.ts';

/** All that the routes of a service's host are made from. */
export interface HostParts {
  readonly service: Service;
  readonly port: number;
  readonly domains: readonly string[];
  /** `null`: nobody has rules for it. */
  readonly rule: Config<'VirtualService'> | null;
  readonly mesh: MeshSettings;
  readonly hashed: readonly HashedService[];
  /** Services that rules may name. */
  readonly known: readonly Service[];
  /** Of the client. */
  readonly namespace: string;
  readonly labels: LabelList;
}

type Hosts = WeakMap<object, Map<string, VirtualHost>>;

const ruled = new PairMemo((_hashed: readonly HashedService[], _known: readonly Service[]): Hosts => new WeakMap());
const unruled = new PairMemo((_hashed: readonly HashedService[], _mesh: MeshSettings): Hosts => new WeakMap());

/**
 * The host that is made from these parts: one message for all clients for which it is the same, made at the first asking.
 * A change of one rule makes one host anew, in a route configuration of thousands.
 */
export function sharedHost(parts: HostParts, make: () => MessageInitShape<typeof VirtualHostSchema>): VirtualHost {
  const { service, port, domains, rule, mesh, hashed, known } = parts;
  const hosts = rule === null ? unruled.get(hashed, mesh) : ruled.get(hashed, known);
  const ofRule = hosts.get(rule ?? service) ?? new Map<string, VirtualHost>();
  hosts.set(rule ?? service, ofRule);
  const client = rule !== null && asksForClient(rule) ? [parts.namespace, ...parts.labels] : [];
  const key = keyOf([
    `${identityOf(service)} ${identityOf(mesh)} ${port}`,
    String(domains.length),
    ...domains,
    ...client,
  ]);
  const host = ofRule.get(key) ?? create(VirtualHostSchema, make());
  ofRule.set(key, host);
  return host;
}

function asksForClient({ spec }: Config<'VirtualService'>): boolean {
  return spec.http.some(({ match }) =>
    match.some(({ sourceNamespace, sourceLabels }) => sourceNamespace !== '' || Object.keys(sourceLabels).length > 0),
  );
}
