import { isIPv6, SocketAddress } from 'node:net';
import type { Destination } from '../ports/accepted-connection.ts';
import type { ListenerAddress } from './compiled-listener.ts';

/**
 * Listeners by address, for connections that are handed over by their original destination: the exact address, then
 * any address of that family at the port (Envoy's order). `::` stands for IPv4 too where it says so.
 */
export class ListenerIndex<L> {
  /** Of several on one address the first is found. */
  readonly #byAddress = new Map<string, Set<L>>();

  add(listener: L, addresses: readonly ListenerAddress[]): void {
    for (const key of keysOf(addresses)) {
      const there = this.#byAddress.get(key);
      if (there === undefined) this.#byAddress.set(key, new Set([listener]));
      else there.add(listener);
    }
  }

  remove(listener: L, addresses: readonly ListenerAddress[]): void {
    for (const key of keysOf(addresses)) {
      const there = this.#byAddress.get(key);
      there?.delete(listener);
      if (there?.size === 0) this.#byAddress.delete(key);
    }
  }

  find({ host, port }: Destination): L | null {
    const any = host.includes(':') ? '::' : '0.0.0.0';
    const [first] = this.#byAddress.get(`${host} ${port}`) ?? this.#byAddress.get(`${any} ${port}`) ?? [];
    return first ?? null;
  }
}

function keysOf(addresses: readonly ListenerAddress[]): string[] {
  return addresses.flatMap(({ host, port, isIpv4Too }) => {
    const own = `${canonicalHost(host)} ${port}`;
    return host === '::' && isIpv4Too === true ? [own, `0.0.0.0 ${port}`] : [own];
  });
}

/** An IPv6 address as the system writes it. */
export function canonicalHost(host: string): string {
  return isIPv6(host) ? new SocketAddress({ address: host, family: 'ipv6' }).address : host;
}
