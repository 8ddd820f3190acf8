import { once } from 'node:events';
import type { Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Fault } from './frame-guard.ts';
import { DATA, HEADERS, RST_STREAM } from './frame-walker.ts';
import { GuardedSocket } from './guarded-socket.ts';
import { cut, field, frame } from './testing-frames.ts';

const LIMITS = {
  maxConsecutiveInboundFramesWithEmptyPayload: 1,
  maxInboundPriorityFramesPerStream: 100,
  maxInboundWindowUpdateFramesPerDataFrameSent: 10,
};

/** A guarded socket of a client, its peer, and what it told. */
function open() {
  const [near, peer] = duplexPair();
  const socket = Object.assign(near, { destroySoon: () => near.end() });
  const faults: Fault[] = [];
  const ended: number[] = [];
  // All that is used of a socket.
  const guarded = new GuardedSocket(socket as unknown as Socket, null, 'client', LIMITS, {
    onFault: (fault) => faults.push(fault),
    onEndSent: (stream) => ended.push(stream),
  });
  const pieces: Buffer[] = [];
  guarded.on('data', (piece: Buffer) => pieces.push(piece));
  return { guarded, peer, faults, ended, pieces };
}

const settle = async (): Promise<void> => {
  for (let turns = 0; turns < 20; turns++) await turn();
};

const good = frame(HEADERS, 4, 1, field('a', 'b'));
const data = frame(DATA, 0, 1, [1, 2, 3]);
const bad = frame(HEADERS, 5, 1, field('a', 'b\r'));

describe('a guarded socket', () => {
  it('passes on what comes, and ends as it ends', async () => {
    const { guarded, peer, pieces, faults } = open();
    const octets = Buffer.concat([good, data, data]);
    for (const piece of cut(octets, [1, 8, 9, 20, 33])) peer.write(piece);
    peer.end();
    await once(guarded, 'end');
    expect(Buffer.concat(pieces)).toEqual(octets);
    expect(faults).toEqual([]);
  });

  it('passes on what came before a fault, tells it once, and reads nothing after', async () => {
    const { peer, pieces, faults } = open();
    peer.write(Buffer.concat([good, data, bad, data]));
    peer.write(data);
    await settle();
    peer.write(bad);
    await settle();
    expect(Buffer.concat(pieces)).toEqual(Buffer.concat([good, data]));
    expect(faults).toEqual([{ details: 'http2.invalid.header.field', stream: 1, isSection: true }]);
  });

  it('gives what came before a reset its events first, and the end of the connection last', async () => {
    const { guarded, peer, pieces } = open();
    const events: string[] = [];
    guarded.on('data', (piece: Buffer) => events.push(`${piece.length}`));
    guarded.on('end', () => events.push('end'));
    const reset = frame(RST_STREAM, 0, 1, [0, 0, 0, 0]);
    peer.write(Buffer.concat([good, data, reset, data]));
    peer.end();
    await once(guarded, 'end');
    expect(events).toEqual([`${good.length + data.length}`, `${reset.length + data.length}`, 'end']);
    // One without a code, before the end, has one.
    expect(pieces[1]?.[12]).toBe(8);
  });

  it('writes as it is told, and tells of the last frame of a stream after it is written', async () => {
    const { guarded, peer, ended } = open();
    const heard: Buffer[] = [];
    peer.on('data', (piece: Buffer) => heard.push(piece));
    const sent = [Buffer.alloc(24, 'P'), good, data, frame(DATA, 1, 1, [4])];
    guarded.cork();
    for (const piece of sent) guarded.write(piece);
    guarded.uncork();
    expect(ended).toEqual([]);
    await settle();
    expect(Buffer.concat(heard)).toEqual(Buffer.concat(sent));
    expect(ended).toEqual([1]);
  });

  it('reads nothing after it was cut', async () => {
    const { guarded, peer, pieces } = open();
    guarded.cut();
    peer.write(good);
    await settle();
    expect(pieces).toEqual([]);
  });
});
