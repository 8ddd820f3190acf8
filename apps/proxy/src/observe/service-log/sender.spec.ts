import { silentLogger } from '@flotilla/observe';
import { FakeClock } from '@flotilla/runtime';
import { describe, expect, it } from 'vitest';
import { FrameReader } from '../../protocol/grpc/frames.ts';
import type { ClusterManager, UpstreamHandler } from '../../ports/cluster-manager.ts';
import { StatsRegistry } from '../../base/stats.ts';
import { LogSender } from './sender.ts';

/** A sender to a service that is only written down; messages are their entries, marked where a stream begins. */
function start(options: { bufferBytes?: number; isFull?: boolean; hasHost?: boolean } = {}) {
  const clock = new FakeClock();
  const stats = new StatsRegistry();
  const messages: string[] = [];
  const streams: UpstreamHandler[] = [];
  const service = { isFull: options.isFull === true };
  const cluster = {
    pick: () => (options.hasHost === false ? null : {}),
    countResponse: () => undefined,
    open(_host: unknown, _request: unknown, handler: UpstreamHandler) {
      streams.push(handler);
      const reader = new FrameReader();
      return {
        write(chunk: Buffer) {
          for (const { message } of reader.push(chunk)) messages.push(message.toString());
          return !service.isFull;
        },
        end: () => messages.push('end'),
        pause: () => undefined,
        resume: () => undefined,
        abort: () => undefined,
      };
    },
  };
  // Only what a call uses.
  const clusters = { get: () => cluster } as unknown as ClusterManager;
  const sender = new LogSender(
    {
      target: {
        cluster: 'als',
        authority: '',
        metadata: [],
        timeoutMs: 0,
        maxMessageBytes: Infinity,
        sendsEnvoyHeaders: true,
      },
      pack: (entries, isFirst) => Buffer.from(`${isFirst ? 'first ' : ''}${Buffer.concat(entries).toString()}`),
      flushIntervalMs: 1_000,
      bufferBytes: options.bufferBytes ?? 16_384,
    },
    { clusters, clock, random: () => 0, logger: silentLogger, stats },
  );
  const counter = (name: string) => stats.counter(`access_logs.grpc_access_log.${name}`).value;
  return { clock, messages, streams, service, sender, counter };
}

describe('a sender of log entries', () => {
  it('gathers them for a while, on one stream', () => {
    const { clock, messages, sender, counter } = start();
    sender.add(Buffer.from('a'));
    sender.add(Buffer.from('b'));
    expect(messages).toEqual([]);
    clock.advance(1_000);
    sender.add(Buffer.from('c'));
    clock.advance(1_000);
    expect(messages).toEqual(['first ab', 'c']);
    expect(counter('logs_written')).toBe(3);
  });

  it('sends at once what fills the buffer', () => {
    const { messages, sender } = start({ bufferBytes: 3 });
    for (const entry of ['ab', 'cd', 'e']) sender.add(Buffer.from(entry));
    expect(messages).toEqual(['first abcd']);
  });

  it('keeps a bounded number while the service does not read, and counts what it drops', () => {
    const { messages, streams, service, sender, counter } = start({ bufferBytes: 0, isFull: true });
    const entry = Buffer.alloc(300_000, 'x');
    for (let count = 0; count < 6; count++) sender.add(entry);
    expect(messages).toHaveLength(1);
    expect(counter('logs_dropped')).toBe(2);
    service.isFull = false;
    streams[0]?.onDrain();
    expect(messages.map(({ length }) => length)).toEqual([300_006, 900_000]);
  });

  it('opens another stream after one broke, and says again who sends', () => {
    const { messages, streams, sender } = start({ bufferBytes: 0 });
    sender.add(Buffer.from('a'));
    streams[0]?.onFailure('reset', 'gone');
    sender.add(Buffer.from('b'));
    expect(messages).toEqual(['first a', 'first b']);
    expect(streams).toHaveLength(2);
  });

  it('sends what waited for a stream that broke by another, without further entries', () => {
    const { clock, messages, streams, service, sender } = start({ bufferBytes: 0, isFull: true });
    for (const entry of ['a', 'b']) sender.add(Buffer.from(entry));
    expect(messages).toEqual(['first a']);
    service.isFull = false;
    streams[0]?.onFailure('reset', 'gone');
    clock.advance(1_000);
    expect(messages).toEqual(['first a', 'first b']);
  });

  it('counts what it cannot send to anybody as dropped', () => {
    const { sender, counter } = start({ bufferBytes: 0, hasHost: false });
    sender.add(Buffer.from('a'));
    expect([counter('logs_written'), counter('logs_dropped')]).toEqual([0, 1]);
  });

  it('sends what is left when it closes, and does not wait for ever', async () => {
    const { clock, messages, sender } = start();
    sender.add(Buffer.from('a'));
    const closed = sender.close();
    expect(messages).toEqual(['first a', 'end']);
    clock.advance(1_000);
    await closed;
  });
});
