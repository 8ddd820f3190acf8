import { create, fromBinary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { silentLogger } from '@flotilla/observe';
import type { Clock } from '@flotilla/runtime';
import { type ProxyNode, ResourceCache } from '@flotilla/translate';
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
} from '@flotilla/wire/envoy/service/discovery/v3/discovery_pb.js';
import { HttpConnectionManagerSchema } from '@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { ListenerSchema } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import { shortNameOf, TYPE_URLS, type XdsShortName } from '@flotilla/xds';
import { Isolation } from '../isolate/isolation.ts';
import { noMetrics } from '../metrics.ts';
import { DeltaChannel } from '../serve/delta.ts';
import { DeltaResponses } from '../serve/response.ts';
import { ProxySession } from '../serve/session.ts';
import type { Sessions } from '../serve/sessions.ts';

/** A resource as a proxy holds it. */
export interface Held {
  readonly version: string;
  readonly content: Uint8Array;
}

export interface InProcessProxyOptions {
  readonly sessions: Sessions;
  readonly node: ProxyNode;
  readonly clock: Clock;
  readonly cache: ResourceCache;
  readonly isolation: Isolation;
  readonly responses: DeltaResponses;
  /** Called with each response. */
  readonly onResponse?: (type: XdsShortName, names: readonly string[]) => void;
}

type Fields = Partial<Omit<DeltaDiscoveryRequest, '$typeName' | '$unknown' | 'node'>>;

/**
 * A proxy on a delta stream without a network: it asks for what Envoy asks for (all clusters and listeners, the endpoints
 * and routes that they refer to), takes everything, and lets go of the endpoints of clusters that are gone.
 */
export class InProcessProxy {
  readonly held = {
    CDS: new Map<string, Held>(),
    EDS: new Map<string, Held>(),
    LDS: new Map<string, Held>(),
    RDS: new Map<string, Held>(),
  };
  /** Names asked for one by one. */
  readonly asked = { EDS: new Set<string>(), RDS: new Set<string>() };
  readonly #options: InProcessProxyOptions;
  readonly #session: ProxySession<DeltaDiscoveryRequest>;
  #unread = 0;

  constructor(options: InProcessProxyOptions) {
    const { sessions, node, clock, cache, isolation, responses } = options;
    this.#options = options;
    this.#session = new ProxySession<DeltaDiscoveryRequest>({
      node,
      identity: '',
      protocol: 'delta',
      openChannel: (type) => new DeltaChannel(type, responses),
      send: (bytes) => this.#arrive(bytes),
      isBlocked: () => false,
      hold: () => true,
      onDue: () => sessions.due(this.#session),
      onServing: () => undefined,
      cache,
      isolation,
      clock,
      logger: silentLogger,
      metrics: noMetrics,
    });
    sessions.add(this.#session);
    this.#say('CDS', {});
    this.#say('LDS', {});
  }

  /** It has read and answered everything, and has been sent everything. */
  get isQuiet(): boolean {
    return this.#unread === 0 && this.#session.isSettled;
  }

  close(): void {
    this.#session.close();
    this.#options.sessions.delete(this.#session);
  }

  #arrive(bytes: Buffer): void {
    this.#unread += 1;
    // As over a network: not within the call that sends.
    setImmediate(() => {
      this.#unread -= 1;
      this.#take(bytes);
    });
  }

  #take(bytes: Buffer): void {
    const response = fromBinary(DeltaDiscoveryResponseSchema, bytes);
    const type = shortNameOf(response.typeUrl);
    if (type !== 'CDS' && type !== 'EDS' && type !== 'LDS' && type !== 'RDS') throw new Error(response.typeUrl);
    const held = this.held[type];
    for (const { name, version, resource } of response.resources) {
      held.set(name, { version, content: resource?.value ?? new Uint8Array() });
    }
    for (const name of response.removedResources) held.delete(name);
    if (type === 'CDS') this.#ask('EDS', new Set([...held.keys()].filter((name) => name.startsWith('outbound|'))));
    if (type === 'LDS') this.#ask('RDS', this.#routeNames());
    this.#say(type, { responseNonce: response.nonce });
    this.#options.onResponse?.(
      type,
      response.resources.map(({ name }) => name),
    );
  }

  #routeNames(): ReadonlySet<string> {
    return new Set([...this.held.LDS.values()].flatMap((listener) => [...routeNamesOf(listener)]));
  }

  #ask(type: 'EDS' | 'RDS', wanted: ReadonlySet<string>): void {
    const asked = this.asked[type];
    const fresh = [...wanted].filter((name) => !asked.has(name));
    const dropped = [...asked].filter((name) => !wanted.has(name));
    for (const name of fresh) asked.add(name);
    for (const name of dropped) {
      asked.delete(name);
      this.held[type].delete(name);
    }
    if (fresh.length + dropped.length === 0) return;
    this.#say(type, { resourceNamesSubscribe: fresh, resourceNamesUnsubscribe: dropped });
  }

  #say(type: XdsShortName, fields: Fields): void {
    this.#session.receive(create(DeltaDiscoveryRequestSchema, { typeUrl: TYPE_URLS[type], ...fields }));
  }
}

const routeNames = new Map<string, ReadonlySet<string>>();

/** Names of the routes that a listener refers to. */
function routeNamesOf({ version, content }: Held): ReadonlySet<string> {
  const known = routeNames.get(version);
  if (known !== undefined) return known;
  const { filterChains, defaultFilterChain } = fromBinary(ListenerSchema, content);
  const names = new Set<string>();
  for (const { filters } of [...filterChains, ...(defaultFilterChain === undefined ? [] : [defaultFilterChain])]) {
    for (const { configType } of filters) {
      if (configType.case !== 'typedConfig') continue;
      const { routeSpecifier } = anyUnpack(configType.value, HttpConnectionManagerSchema) ?? {};
      if (routeSpecifier?.case === 'rds') names.add(routeSpecifier.value.routeConfigName);
    }
  }
  routeNames.set(version, names);
  return names;
}

/** Proxies without a network, and what they share. */
export function openSessions(sessions: Sessions, clock: Clock) {
  const cache = new ResourceCache();
  const responses = new DeltaResponses();
  const isolation = new Isolation({ clock, logger: silentLogger, onChange: (kind) => sessions.refresh(kind) });
  return {
    connect: (node: ProxyNode, onResponse?: InProcessProxyOptions['onResponse']) =>
      new InProcessProxy({
        ...{ sessions, node, clock, cache, isolation, responses },
        ...(onResponse === undefined ? {} : { onResponse }),
      }),
  };
}

/** Resolves when every proxy has everything; rejects when that takes more turns of the event loop than it may. */
export async function untilQuiet(proxies: readonly InProcessProxy[], maxTurns = 10_000): Promise<void> {
  let at = 0;
  for (let turn = 0; turn < maxTurns; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    while (proxies[at]?.isQuiet === true) at += 1;
    if (at < proxies.length) continue;
    // What arrived meanwhile may have been the cause for more.
    await new Promise((resolve) => setImmediate(resolve));
    if (proxies.every(({ isQuiet }) => isQuiet)) return;
    at = 0;
  }
  throw new Error(`not quiet after ${maxTurns} turns`);
}
