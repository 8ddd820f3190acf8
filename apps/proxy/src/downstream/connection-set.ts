import type { Socket } from 'node:net';
import type { OpenConnection } from '../ports/accepted-connection.ts';
import type { ConnectionTracker } from './accept.ts';
import type { FilterChain } from './compiled-listener.ts';

/** The open connections of one listener, by the filter chain that they run on. */
export class ConnectionSet implements ConnectionTracker {
  readonly early = new Set<Socket>();
  readonly #open = new Map<OpenConnection, FilterChain>();
  readonly #draining = new Set<OpenConnection>();
  #isDraining = false;
  #onEmpty: (() => void) | null = null;

  get isEmpty(): boolean {
    return this.#open.size === 0;
  }

  get drainingCount(): number {
    return this.#draining.size;
  }

  opened(connection: OpenConnection, chain: FilterChain): void {
    this.#open.set(connection, chain);
    if (this.#isDraining) this.#drain(connection);
  }

  closed(connection: OpenConnection): void {
    this.#open.delete(connection);
    this.#draining.delete(connection);
    if (this.#open.size === 0) this.#onEmpty?.();
  }

  /** Drains the connections whose chain is not among these. */
  keepOnly(fingerprints: ReadonlySet<string>): void {
    for (const [connection, chain] of this.#open) if (!fingerprints.has(chain.fingerprint)) this.#drain(connection);
  }

  /** Drains every connection, those to come included. */
  drain(): void {
    this.#isDraining = true;
    for (const connection of this.#open.keys()) this.#drain(connection);
  }

  destroyDraining(): void {
    for (const connection of [...this.#draining]) connection.destroy();
  }

  destroy(): void {
    for (const socket of this.early) socket.destroy();
    for (const connection of [...this.#open.keys()]) connection.destroy();
  }

  /** Calls back once nothing is open any more; at once when nothing is. */
  onEmpty(callback: () => void): void {
    if (this.isEmpty) callback();
    else this.#onEmpty = callback;
  }

  #drain(connection: OpenConnection): void {
    if (this.#draining.has(connection)) return;
    this.#draining.add(connection);
    connection.drain();
  }
}
