import { isIPv6, SocketAddress } from 'node:net';
import type { Destination } from './accepted-connection.ts';
import type { ListenerAddress } from './compiled-listener.ts';

/**
 * Listeners by address, for connections that are handed over by their original destination: the exact address, then
 * any address of that family at the port (Envoy's order). `::` stands for IPv4 too where it says so.
 */
export class ListenerIndex<L> {
  readonly #byAddress = new Map<string, L>();

  constructor(listeners: Iterable<readonly [L, readonly ListenerAddress[]]>) {
    for (const [listener, addresses] of listeners) {
      for (const { host, port, isIpv4Too } of addresses) {
        this.#add(`${canonicalHost(host)} ${port}`, listener);
        if (host === '::' && isIpv4Too) this.#add(`0.0.0.0 ${port}`, listener);
      }
    }
  }

  find({ host, port }: Destination): L | null {
    const any = host.includes(':') ? '::' : '0.0.0.0';
    return this.#byAddress.get(`${host} ${port}`) ?? this.#byAddress.get(`${any} ${port}`) ?? null;
  }

  /** Of two on one address the first stays. */
  #add(key: string, listener: L): void {
    if (!this.#byAddress.has(key)) this.#byAddress.set(key, listener);
  }
}

/** An IPv6 address as the system writes it. */
export function canonicalHost(host: string): string {
  return isIPv6(host) ? new SocketAddress({ address: host, family: 'ipv6' }).address : host;
}
