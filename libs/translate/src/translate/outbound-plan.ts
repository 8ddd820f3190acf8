import { OutboundTrafficPolicy_Mode as SidecarPolicy } from '@flotilla/wire/istio/networking/v1alpha3/sidecar_pb.js';
import { isHttpProtocol } from '@flotilla/model';
import type { Config } from '../mesh/config.ts';
import type { ProxyNode } from '../mesh/proxy-node.ts';
import type { Egress, ProxyView } from '../mesh/view.ts';
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
}

/** A route configuration of a sidecar, before it is put into Envoy's terms. */
export interface RoutePlan {
  readonly name: string;
  /** `null`: every port. */
  readonly port: number | null;
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

/** Which outbound listeners a sidecar gets, and which routes they refer to. */
export function planOutbound(view: ProxyView, node: ProxyNode): SidecarPlan {
  const plan = new Planner();
  const captured = view.egress.filter(({ listener }) => listener.port === null);
  for (const egress of view.egress) {
    const { port } = egress.listener;
    if (port === null) continue;
    if (node.isExplicit || egress.listener.isDialled) planDialled(plan, egress);
    else planCaptured(plan, egress, (number) => number === port.number);
  }
  if (node.isExplicit) {
    if (node.httpProxyPort !== null) planHttpProxy(plan, captured, node.httpProxyPort);
  } else {
    // A port with a listener of its own offers only that listener's hosts.
    const owned = new Set(
      view.egress.flatMap(({ listener }) => (listener.port === null ? [] : [listener.port.number])),
    );
    for (const egress of captured) planCaptured(plan, egress, (number) => !owned.has(number));
  }
  return { listeners: [...plan.listeners.values()], routes: plan.routes, conflicts: plan.conflicts };
}

class Planner {
  readonly listeners = new Map<string, OutboundPlan>();
  readonly routes = new Map<string, RoutePlan>();
  readonly conflicts: string[] = [];

  listener(address: string, port: number, isBound: boolean): OutboundPlan {
    const name = listenerName(address, port);
    const known = this.listeners.get(name);
    if (known !== undefined) return known;
    const fresh = { name, address, port, isBound, routeName: null, opaque: [] };
    this.listeners.set(name, fresh);
    return fresh;
  }

  route(name: string, port: number | null, egress: Pick<Egress, 'services' | 'virtualServices'>): void {
    const known = this.routes.get(name);
    this.routes.set(name, {
      name,
      port,
      services: [...new Set([...(known?.services ?? []), ...egress.services])],
      virtualServices: [...new Set([...(known?.virtualServices ?? []), ...egress.virtualServices])],
    });
  }
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
  const taken = listener.opaque.find((entry) => entry.port.protocol !== 'TLS' && entry.port.protocol !== 'HTTPS');
  if (!isTold && taken !== undefined && taken.service !== service) {
    plan.conflicts.push(
      `${service.hostname}:${port.number}: ${taken.service.hostname} has the port already and neither has an address`,
    );
    return;
  }
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
export function mayPassUnknown(view: ProxyView, node: ProxyNode): boolean {
  if (node.isExplicit) return false;
  const own = view.sidecar?.spec.outboundTrafficPolicy;
  if (own !== undefined) return own.mode === SidecarPolicy.ALLOW_ANY;
  return view.settings.config.outboundTrafficPolicy === 'ALLOW_ANY';
}

/**
 * The workload's labels as the generators get them: only where a rule asks for a source's labels, so that workloads
 * that differ in labels alone share what they are sent.
 */
export function relevantLabels(rules: readonly Config<'VirtualService'>[], node: ProxyNode): string {
  const isAsked = rules.some(({ spec }) =>
    [...spec.http, ...spec.tcp, ...spec.tls].some((route) =>
      route.match.some((match) => Object.keys(match.sourceLabels).length > 0),
    ),
  );
  if (!isAsked) return '{}';
  return JSON.stringify(Object.fromEntries(Object.entries(node.labels).sort(([a], [b]) => (a < b ? -1 : 1))));
}
