import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { SegmentWriter } from './segment-writer.ts';

const opened: { destroy(): unknown }[] = [];

afterEach(() => {
  for (const each of opened.splice(0)) each.destroy();
});

/** Two ends of a TCP connection. */
async function pair(): Promise<{ near: Socket; far: Socket }> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [far] = (await once(server, 'connection')) as [Socket];
  server.close();
  opened.push(near, far);
  if (near.connecting) await once(near, 'connect');
  return { near, far };
}

async function readAll(far: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  far.on('data', (chunk: Buffer) => chunks.push(chunk)).resume();
  await once(far, 'end');
  return Buffer.concat(chunks).toString('latin1');
}

describe('a segment writer', () => {
  it('sends what was gathered as one write', async () => {
    const { near, far } = await pair();
    const writer = new SegmentWriter(near, () => undefined);
    writer.text('head\xff ');
    writer.data(Buffer.from('body '));
    writer.text('end');
    expect(near.bytesWritten).toBe(0);
    writer.flush();
    writer.flush();
    near.end();
    expect(await readAll(far)).toBe('head\xff body end');
  });

  it('copies: the caller may reuse its bytes at once', async () => {
    const { near, far } = await pair();
    const writer = new SegmentWriter(near, () => undefined);
    const bytes = Buffer.from('kept');
    writer.data(bytes);
    bytes.fill('x');
    writer.flush();
    near.end();
    expect(await readAll(far)).toBe('kept');
  });

  it('flushes another writer before its own bytes', async () => {
    const [a, b] = await Promise.all([pair(), pair()]);
    const [ofA, ofB] = [new SegmentWriter(a.near, () => undefined), new SegmentWriter(b.near, () => undefined)];
    ofA.text('a1 ');
    ofB.text('b1 ');
    ofA.text('a2');
    ofB.text('b2');
    ofA.flush();
    ofB.flush();
    a.near.end();
    b.near.end();
    expect(await Promise.all([readAll(a.far), readAll(b.far)])).toEqual(['a1 a2', 'b1 b2']);
  });

  it('leaves bytes alone that a slow peer has not taken', async () => {
    const pairs = await Promise.all([pair(), pair(), pair()]);
    let blocked = 0;
    const writers = pairs.map(({ near }) => new SegmentWriter(near, () => blocked++));
    const wanted = pairs.map(() => '');
    // Nobody reads: far more than the system takes, in turns of all sizes around what the memory holds.
    for (let turn = 0; turn < 160; turn++) {
      for (const [index, writer] of writers.entries()) {
        const letter = String.fromCharCode(97 + ((turn * 7 + index * 5) % 26));
        const piece = letter.repeat(turn % 40 === 39 ? 300_000 : 1 + ((turn * 9_973 + index * 101) % 70_000));
        if (turn % 2 === 0) writer.data(Buffer.from(piece));
        else writer.text(piece);
        if (turn % 3 === index) writer.flush();
        wanted[index] += piece;
      }
    }
    for (const [index, writer] of writers.entries()) {
      writer.flush();
      pairs[index]?.near.end();
    }
    expect(blocked).toBeGreaterThan(0);
    const read = await Promise.all(pairs.map(({ far }) => readAll(far)));
    expect(read.map((text, index) => text === wanted[index])).toEqual([true, true, true]);
  });
});
