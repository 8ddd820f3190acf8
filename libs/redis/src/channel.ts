import type { Redis } from 'ioredis';
import type { Clock, Random } from '@flotilla/runtime';
import { KeptClient } from './kept-client.ts';

export interface ChannelListener {
  /** The bytes as they came: whoever may publish decides what they are. */
  message(bytes: Buffer): void;
  /** The channel is heard: for the first time, or again after a gap in which messages were lost. */
  open(): void;
}

export interface Channel {
  readonly isOpen: boolean;
  /** Idempotent. */
  close(): Promise<void>;
}

export interface ChannelOptions {
  readonly name: string;
  readonly listener: ChannelListener;
  readonly open: () => Redis;
  readonly clock: Clock;
  readonly random: Random;
}

/** Subscribes to a channel, again and again when the connection breaks. Why it is down, the command connection says. */
export function openChannel({ name, listener, open, clock, random }: ChannelOptions): Channel {
  const kept = new KeptClient<Redis>({
    open,
    async prepare(client) {
      client.on('messageBuffer', (_channel: Buffer, message: Buffer) => listener.message(message));
      await client.subscribe(name);
    },
    onConnected: () => listener.open(),
    onDown: () => undefined,
    clock,
    random,
  });
  return {
    get isOpen() {
      return kept.connected !== null;
    },
    close: () => kept.close(),
  };
}
