import { networkInterfaces } from 'node:os';
import type { ListenerAddress } from './compiled-listener.ts';

/**
 * The addresses on which this proxy listens. Whoever goes to where a client wanted to go asks it first: a client of
 * the proxy's own port would be sent round in circles.
 */
export class OwnListeners {
  readonly #hostsByPort = new Map<number, string[]>();

  add({ host, port }: ListenerAddress): void {
    const hosts = this.#hostsByPort.get(port);
    if (hosts === undefined) this.#hostsByPort.set(port, [host]);
    else hosts.push(host);
  }

  remove({ host, port }: ListenerAddress): void {
    const hosts = this.#hostsByPort.get(port) ?? [];
    const at = hosts.indexOf(host);
    if (at !== -1) hosts.splice(at, 1);
    if (hosts.length === 0) this.#hostsByPort.delete(port);
  }

  /** Whether a connection to this address would come back to this proxy. */
  has({ host, port }: ListenerAddress): boolean {
    const hosts = this.#hostsByPort.get(port);
    if (hosts === undefined) return false;
    if (hosts.includes(host)) return true;
    return hosts.some((bound) => bound === '0.0.0.0' || bound === '::') && isLocal(host);
  }
}

function isLocal(host: string): boolean {
  if (host.startsWith('127.')) return true;
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === host));
}
