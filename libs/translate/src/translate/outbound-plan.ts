import { OutboundTrafficPolicy_Mode as SidecarPolicy } from '@flotilla/wire/istio/networking/v1alpha3/sidecar_pb.js';
import { isHttpProtocol } from '@flotilla/model';
import { identityOf, keyOf, Memo } from '../identity.ts';
import type { Config } from '../mesh/config.ts';
import { type LabelList, labelList } from '../mesh/label-list.ts';
import type { ProxyNode } from '../mesh/proxy-node.ts';
import type { Egress, Scope } from '../mesh/scope.ts';
import { mayBeHttp } from '../registry/protocol.ts';
import type { Service, ServicePort } from '../registry/service.ts';
import { HTTP_PROXY_ROUTE, listenerName } from './names.ts';

/** An outbound listener of a sidecar, before it is put into Envoy's terms. */
export interface OutboundPlan {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly isBound: boolean;
  routeName: string | null;
  /** Services carried as bytes, and by which port. */
  readonly opaque: { readonly service: Service; readonly port: ServicePort }[];
  /** One of those that is neither TLS nor HTTPS. */
  taken: Service | null;
}

/** A route configuration of a sidecar, before it is put into Envoy's terms. */
export interface RoutePlan {
  readonly name: string;
  /** `null`: every port. */
  readonly port: number | null;
  /** Those that have the port. */
  readonly services: readonly Service[];
  readonly virtualServices: readonly Config<'VirtualService'>[];
}

export interface SidecarPlan {
  readonly listeners: readonly OutboundPlan[];
  readonly routes: ReadonlyMap<string, RoutePlan>;
  /** What could not be given a listener, and why. */
  readonly conflicts: readonly string[];
}

const ANY_ADDRESS = '0.0.0.0';
const LOOPBACK = '127.0.0.1';

/** How a proxy is reached by its application. */
export type OutboundMode = Pick<ProxyNode, 'isExplicit' | 'httpProxyPort'>;

/** Which outbound listeners a sidecar gets, and which routes they refer to; the same for all sidecars of one scope and mode. */
export function planOutbound(scope: Scope, { isExplicit, httpProxyPort }: OutboundMode): SidecarPlan {
  const known = plans.get(scope);
  const key = `${isExplicit}/${httpProxyPort}`;
  const plan = known.get(key) ?? makePlan(scope, { isExplicit, httpProxyPort });
  known.set(key, plan);
  return plan;
}

const plans = new Memo((_scope: Scope) => new Map<string, SidecarPlan>());

function makePlan(scope: Scope, { isExplicit, httpProxyPort }: OutboundMode): SidecarPlan {
  const plan = new Planner();
  const captured = scope.egress.filter(({ listener }) => listener.port === null);
  for (const egress of scope.egress) {
    const { port } = egress.listener;
    if (port === null) continue;
    if (isExplicit || egress.listener.isDialled) planDialled(plan, egress);
    else planCaptured(plan, egress, (number) => number === port.number);
  }
  if (isExplicit) {
    if (httpProxyPort !== null) planHttpProxy(plan, captured, httpProxyPort);
  } else {
    // A port with a listener of its own offers only that listener's hosts.
    const owned = new Set(
      scope.egress.flatMap(({ listener }) => (listener.port === null ? [] : [listener.port.number])),
    );
    for (const egress of captured) planCaptured(plan, egress, (number) => !owned.has(number));
  }
  return plan.done();
}

class Planner {
  readonly #listeners = new Map<string, OutboundPlan>();
  /** What each route serves, in the order of the egress listeners. */
  readonly #routes = new Map<string, { readonly port: number | null; readonly egress: Set<Egress> }>();
  readonly #unions = new Map<string, readonly Config<'VirtualService'>[]>();
  readonly #conflicts: string[] = [];

  listener(address: string, port: number, isBound: boolean): OutboundPlan {
    const name = listenerName(address, port);
    const known = this.#listeners.get(name);
    if (known !== undefined) return known;
    const fresh = { name, address, port, isBound, routeName: null, opaque: [], taken: null };
    this.#listeners.set(name, fresh);
    return fresh;
  }

  route(name: string, port: number | null, egress: Egress): void {
    const known = this.#routes.get(name);
    if (known === undefined) this.#routes.set(name, { port, egress: new Set([egress]) });
    else known.egress.add(egress);
  }

  conflict(message: string): void {
    this.#conflicts.push(message);
  }

  done(): SidecarPlan {
    const routes = new Map<string, RoutePlan>();
    for (const [name, { port, egress }] of this.#routes) {
      const services = [...egress].map((each) => (port === null ? each.services : (byPort.get(each).get(port) ?? [])));
      routes.set(name, { name, port, services: union(services), virtualServices: this.#rulesOf([...egress]) });
    }
    return { listeners: [...this.#listeners.values()], routes, conflicts: this.#conflicts };
  }

  /** One list for all routes of the same egress listeners. */
  #rulesOf(egress: readonly Egress[]): readonly Config<'VirtualService'>[] {
    const key = keyOf(egress.map((each) => String(identityOf(each))));
    const rules = this.#unions.get(key) ?? union(egress.map(({ virtualServices }) => virtualServices));
    this.#unions.set(key, rules);
    return rules;
  }
}

const byPort = new Memo(({ services }: Egress): ReadonlyMap<number, readonly Service[]> => {
  const index = new Map<number, Set<Service>>();
  for (const service of services) {
    for (const { number } of service.ports) {
      const listed = index.get(number);
      if (listed === undefined) index.set(number, new Set([service]));
      else listed.add(service);
    }
  }
  return new Map([...index].map(([port, listed]) => [port, [...listed]]));
});

/** Each element once, in order; a single list as it is. */
function union<Element>(lists: readonly (readonly Element[])[]): readonly Element[] {
  const [only = []] = lists;
  return lists.length <= 1 ? only : [...new Set(lists.flat())];
}

/** Listeners behind `virtualOutbound`: one per HTTP port, one per address and port of everything else. */
function planCaptured(plan: Planner, egress: Egress, takes: (port: number) => boolean): void {
  for (const service of egress.services) {
    for (const port of service.ports) {
      if (port.protocol === 'UDP' || !takes(port.number)) continue;
      const addresses = service.addresses.filter((address) => !address.includes('/'));
      const isHttp = isHttpProtocol(port.protocol);
      for (const address of isHttp || addresses.length === 0 ? [ANY_ADDRESS] : addresses) {
        const listener = plan.listener(address, port.number, false);
        if (mayBeHttp(port.protocol)) {
          listener.routeName = String(port.number);
          plan.route(listener.routeName, port.number, egress);
        }
        if (!isHttp) addOpaque(plan, listener, service, port);
      }
    }
  }
}

/** A local listener for what a Sidecar names, which the application dials. */
function planDialled(plan: Planner, egress: Egress): void {
  const { port, bind } = egress.listener;
  if (port === null) return;
  const listener = plan.listener(bind === '' ? LOOPBACK : bind, port.number, true);
  if (isHttpProtocol(port.protocol)) {
    listener.routeName = bind === '' ? String(port.number) : listener.name;
    plan.route(listener.routeName, port.number, egress);
    return;
  }
  const samePort = egress.services.find((service) => service.ports.some(({ number }) => number === port.number));
  const [only] = egress.services;
  const service = samePort ?? (egress.services.length === 1 ? only : undefined);
  const servicePort = service?.ports.find(({ number }) => number === port.number) ?? service?.ports[0];
  if (service !== undefined && servicePort !== undefined) addOpaque(plan, listener, service, servicePort);
}

function addOpaque(plan: Planner, listener: OutboundPlan, service: Service, port: ServicePort): void {
  const isTold = port.protocol === 'TLS' || port.protocol === 'HTTPS';
  if (!isTold && listener.taken !== null && listener.taken !== service) {
    plan.conflict(
      `${service.hostname}:${port.number}: ${listener.taken.hostname} has the port already and neither has an address`,
    );
    return;
  }
  if (!isTold) listener.taken ??= service;
  listener.opaque.push({ service, port });
}

/** The HTTP forward proxy of explicit mode. */
function planHttpProxy(plan: Planner, captured: readonly Egress[], port: number): void {
  const listener = plan.listener(LOOPBACK, port, true);
  listener.routeName = HTTP_PROXY_ROUTE;
  for (const egress of captured) plan.route(HTTP_PROXY_ROUTE, null, egress);
}

/**
 * Whether traffic to unknown destinations goes on. Never in explicit mode: what a client tells an HTTP proxy is a name,
 * and there is no original destination to go to.
 */
export function mayPassUnknown(scope: Scope, { isExplicit }: Pick<ProxyNode, 'isExplicit'>): boolean {
  if (isExplicit) return false;
  const own = scope.sidecar?.spec.outboundTrafficPolicy;
  if (own !== undefined) return own.mode === SidecarPolicy.ALLOW_ANY;
  return scope.targets.settings.config.outboundTrafficPolicy === 'ALLOW_ANY';
}

/** The labels that these rules ask of the source: workloads that differ in others alone share what they are sent. */
export function relevantLabels(rules: readonly Config<'VirtualService'>[], labels: ProxyNode['labels']): LabelList {
  const asked = askedLabels.get(rules);
  return asked.size === 0 ? NO_LABELS : labelList(labels, asked);
}

const NO_LABELS: LabelList = [];

const askedLabels = new Memo(
  (rules: readonly Config<'VirtualService'>[]): ReadonlySet<string> =>
    new Set(
      rules.flatMap(({ spec }) =>
        [...spec.http, ...spec.tcp, ...spec.tls].flatMap((route) =>
          route.match.flatMap((match) => Object.keys(match.sourceLabels)),
        ),
      ),
    ),
);
