import type { HostResolver, Resolution } from '../ports/cluster-manager.ts';
import { isIP } from 'node:net';
import type { Clock, Random, Timer } from '@flotilla/runtime';
import { hostWithoutPort } from '@flotilla/match';
import { portOf } from '@flotilla/stream';
import type { DnsSettings } from './dns-settings.ts';
import { type Lookup, type NameWatch, watchName } from './dns.ts';
import { Host } from './host.ts';
import type { Transport } from './transport.ts';

/** How names are looked up and remembered (`dns_cache_config`). */
export interface DynamicHostSettings {
  readonly dns: DnsSettings;
  /** A host that nobody asked for so long is forgotten. */
  readonly hostTtlMs: number;
  readonly maxHosts: number;
  /** For authorities without one. */
  readonly defaultPort: number;
}

export interface DynamicHostTools {
  readonly transport: Transport;
  readonly lookup: Lookup;
  readonly clock: Clock;
  readonly random: Random;
  readonly isOwnListener: (destination: { readonly host: string; readonly port: number }) => boolean;
}

interface Entry {
  readonly watch: NameWatch;
  /** Null: looked up, and not found. */
  host: Host | null;
  /** Why the last look-up failed, the resolver's code. */
  failure: string;
  isKnown: boolean;
  waiting: (() => void)[];
  usedMs: number;
}

/** Hosts that requests name themselves, looked up when first asked for (Envoy's dynamic forward proxy). */
export class DynamicHosts implements HostResolver {
  readonly #settings: DynamicHostSettings;
  readonly #tools: DynamicHostTools;
  readonly #entries = new Map<string, Entry>();
  #timer: Timer | null = null;

  constructor(settings: DynamicHostSettings, tools: DynamicHostTools) {
    this.#settings = settings;
    this.#tools = tools;
  }

  /** `done` is called once, later, when this returns `pending`. */
  resolve(authority: string, done: () => void): Resolution {
    const { name, port, key } = this.#targetOf(authority);
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      if (this.#entries.size >= this.#settings.maxHosts) return 'overflow';
      entry = this.#watch(name, port, key);
    }
    if (entry.isKnown) return 'known';
    entry.waiting.push(done);
    return 'pending';
  }

  /** The host of an authority that was resolved; null when there is none. */
  hostFor(authority: string | null): Host | null {
    const entry = authority === null ? undefined : this.#entries.get(this.#targetOf(authority).key);
    if (entry === undefined) return null;
    entry.usedMs = this.#tools.clock.monotonicMs();
    return entry.host;
  }

  /** Why an authority has no host; empty when nobody knows. */
  failureOf(authority: string): string {
    return this.#entries.get(this.#targetOf(authority).key)?.failure ?? '';
  }

  *hosts(): IterableIterator<Host> {
    for (const { host } of this.#entries.values()) if (host !== null) yield host;
  }

  close(): void {
    this.#timer?.cancel();
    for (const entry of this.#entries.values()) this.#end(entry);
    this.#entries.clear();
  }

  #targetOf(authority: string): { readonly name: string; readonly port: number; readonly key: string } {
    const host = hostWithoutPort(authority);
    const name = (host.startsWith('[') ? host.slice(1, -1) : host).toLowerCase();
    const port = (authority.length > host.length ? portOf(authority) : null) ?? this.#settings.defaultPort;
    return { name, port, key: `${name} ${port}` };
  }

  #watch(name: string, port: number, key: string): Entry {
    const { clock } = this.#tools;
    const state: { entry: Entry | null; addresses: readonly string[] | null; failure: string } = {
      entry: null,
      addresses: null,
      failure: '',
    };
    const watch = watchName(
      name,
      this.#settings.dns,
      this.#tools,
      (addresses) => {
        state.addresses = addresses;
        if (state.entry !== null) this.#learn(state.entry, name, port, addresses);
      },
      (error) => {
        state.failure = codeOf(error);
        if (state.entry !== null) state.entry.failure = state.failure;
      },
    );
    const { failure } = state;
    const entry: Entry = { watch, host: null, failure, isKnown: false, waiting: [], usedMs: clock.monotonicMs() };
    state.entry = entry;
    this.#entries.set(key, entry);
    // An address is known at once.
    if (state.addresses !== null) this.#learn(entry, name, port, state.addresses);
    this.#timer ??= this.#cleanUpLater();
    return entry;
  }

  #learn(entry: Entry, name: string, port: number, [address]: readonly string[]): void {
    const { transport, clock, isOwnListener } = this.#tools;
    const before = entry.host;
    if (address === undefined || isOwnListener({ host: address, port })) entry.host = null;
    else if (before?.host !== address) {
      const target = { host: address, port, path: null, hostname: isIP(name) === 0 ? name : '' };
      const spec = { ...target, weight: 1, health: 'healthy', peer: null, hashKey: null, transportIndex: 0 } as const;
      entry.host = new Host(spec, transport, clock.monotonicMs());
    }
    if (before !== null && before !== entry.host) before.drain();
    entry.isKnown = true;
    for (const done of entry.waiting.splice(0)) done();
  }

  #end(entry: Entry): void {
    entry.watch.close();
    entry.host?.drain();
    for (const done of entry.waiting.splice(0)) done();
  }

  #cleanUp(): void {
    const { clock } = this.#tools;
    const before = clock.monotonicMs() - this.#settings.hostTtlMs;
    for (const [key, entry] of this.#entries) {
      if (entry.usedMs > before || !entry.isKnown || (entry.host?.activeRequests ?? 0) > 0) continue;
      this.#entries.delete(key);
      this.#end(entry);
    }
    this.#timer = this.#entries.size === 0 ? null : this.#cleanUpLater();
  }

  #cleanUpLater(): Timer {
    return this.#tools.clock.after(Math.max(1_000, this.#settings.hostTtlMs / 2), () => this.#cleanUp());
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
