import type { Cluster, Redis } from 'ioredis';
import type { Logger } from '@flotilla/observe';
import { type Clock, FlotillaError, type Random, systemClock } from '@flotilla/runtime';
import { type Channel, type ChannelListener, openChannel } from './channel.ts';
import { clientsFor } from './clients.ts';
import { explain, RedisUnavailableError } from './failures.ts';
import { KeptClient } from './kept-client.ts';
import type { RedisScript } from './script.ts';
import type { RedisSettings } from './settings.ts';

export interface RedisConnectionOptions {
  readonly settings: RedisSettings;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
}

export type RedisArgument = string | number | Buffer;

/** Told of every change, and at once after `subscribe` of the present state. */
export type ConnectionListener = (isConnected: boolean) => void;

/**
 * A connection to Redis that is made anew whenever it breaks, for ever. The same for one server, Sentinel and Cluster.
 * Nothing is queued: while it is down, commands fail at once.
 */
export interface RedisConnection {
  readonly isConnected: boolean;
  /** What it waits for, such as `Redis at redis:6379: connect ECONNREFUSED`; `null` while connected. */
  readonly waitingFor: string | null;
  /** `{prefix}:name`: keys and channels of one mesh lie in one slot of a Cluster. */
  key(name: string): string;
  /** Returns the function that ends it, which is idempotent. */
  subscribe(listener: ConnectionListener): () => void;
  /** Resolves when connected; fails with `unavailable`, saying what it waited for, with the signal or on close. */
  waitUntilReady(signal?: AbortSignal): Promise<void>;
  /** Fails with `RedisUnavailableError`, or with `invalid` for a key of another type than the command's. */
  call(command: string, ...args: readonly RedisArgument[]): Promise<unknown>;
  /** As `call`. A script that fails in the middle keeps what it did: it checks before it writes. */
  run(script: RedisScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown>;
  /** Hears a channel by a connection of its own, which is kept in the same way. The caller closes it. */
  openChannel(name: string, listener: ChannelListener): Channel;
  /** Ends the connection, not its channels. Idempotent. */
  close(): Promise<void>;
}

/** Opens a connection. Returns at once, connected or not. */
export function openRedis(options: RedisConnectionOptions): RedisConnection {
  return new KeptRedis(options);
}

class KeptRedis implements RedisConnection {
  readonly #options: RedisConnectionOptions;
  readonly #clients;
  readonly #kept: KeptClient<Redis | Cluster>;
  readonly #listeners = new Set<{ readonly hear: ConnectionListener }>();
  /** What was said in this outage: the same reason is told once. */
  readonly #told = new Set<string>();
  #reason: string;
  #hint: string | undefined;
  #isClosed = false;

  constructor(options: RedisConnectionOptions) {
    this.#options = options;
    const { settings, clock = systemClock, random = Math.random } = options;
    this.#clients = clientsFor(settings);
    this.#reason = `${this.#clients.target}: not connected yet`;
    this.#kept = new KeptClient({
      open: this.#clients.command,
      prepare: (client) => client.ping(),
      onConnected: () => this.#up(),
      onDown: (error) => this.#down(error),
      clock,
      random,
    });
  }

  get isConnected(): boolean {
    return this.#kept.connected !== null;
  }

  get waitingFor(): string | null {
    return this.isConnected ? null : this.#reason;
  }

  key(name: string): string {
    return `{${this.#options.settings.keyPrefix}}:${name}`;
  }

  subscribe(listener: ConnectionListener): () => void {
    const subscription = { hear: listener };
    this.#listeners.add(subscription);
    listener(this.isConnected);
    return () => void this.#listeners.delete(subscription);
  }

  async waitUntilReady(signal?: AbortSignal): Promise<void> {
    const settled = Promise.withResolvers<undefined>();
    const settle = (): void => settled.resolve(undefined);
    const end = this.subscribe((isConnected) => {
      if (isConnected || this.#isClosed) settle();
    });
    signal?.addEventListener('abort', settle);
    if (signal?.aborted === true || this.#isClosed) settle();
    await settled.promise;
    signal?.removeEventListener('abort', settle);
    end();
    if (!this.isConnected) throw this.#away();
  }

  async call(command: string, ...args: readonly RedisArgument[]): Promise<unknown> {
    const client = this.#kept.connected;
    if (client === null) throw this.#away();
    try {
      return await client.call(command, [...args]);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  async run(script: RedisScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
    try {
      return await this.call('EVALSHA', script.sha1, keys.length, ...keys, ...args);
    } catch (error) {
      if (!(error instanceof NoScriptError)) throw error;
      return this.call('EVAL', script.lua, keys.length, ...keys, ...args);
    }
  }

  openChannel(name: string, listener: ChannelListener): Channel {
    const { clock = systemClock, random = Math.random } = this.#options;
    return openChannel({ name: this.key(name), listener, open: this.#clients.subscriber, clock, random });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#reason = `the connection to ${this.#clients.target} is closed`;
    this.#hint = undefined;
    await this.#kept.close();
    this.#announce(false);
  }

  #up(): void {
    this.#told.clear();
    this.#options.logger.info(`connected to ${this.#clients.target}`);
    this.#announce(true);
  }

  #down(error: unknown): void {
    const { reason, hint } = explain(error);
    this.#reason = `${this.#clients.target}: ${reason}`;
    this.#hint = hint;
    if (!this.#told.has(reason)) this.#options.logger.warn(`waiting for ${this.#reason}`, { hint });
    this.#told.add(reason);
    this.#announce(false);
  }

  #announce(isConnected: boolean): void {
    for (const { hear } of [...this.#listeners]) {
      try {
        hear(isConnected);
      } catch (error) {
        this.#options.logger.error('a listener of the connection to Redis failed', { error });
      }
    }
  }

  #away(): RedisUnavailableError {
    return new RedisUnavailableError(this.#reason, this.#hint === undefined ? {} : { hint: this.#hint });
  }

  #failure(error: unknown): FlotillaError {
    const text = error instanceof Error ? error.message : String(error);
    if (text.startsWith('NOSCRIPT')) return new NoScriptError(text);
    if (text.includes('WRONGTYPE')) return new FlotillaError('invalid', text, { cause: error });
    const { reason, hint } = explain(error);
    return new RedisUnavailableError(`${this.#clients.target}: ${reason}`, {
      cause: error,
      hint,
      mayBeDone: !isAnswer(error),
    });
  }
}

/** Redis has not got the script: it was restarted, or never had it. */
class NoScriptError extends RedisUnavailableError {
  constructor(message: string) {
    super(message, {});
  }
}

/** Whether Redis itself said no, or the command never left: then it was not carried out. */
function isAnswer(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.name === 'ReplyError' || /isn't writeable|isn't ready/.test(error.message);
}
