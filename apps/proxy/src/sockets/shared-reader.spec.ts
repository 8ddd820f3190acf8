import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { SharedReader } from './shared-reader.ts';

const opened: { destroy(): unknown }[] = [];

afterEach(() => {
  for (const each of opened.splice(0)) each.destroy();
});

async function open(reader: SharedReader): Promise<{ near: Socket; far: Socket }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const near = connect({ port, host: '127.0.0.1', onread: reader.onread });
  const [far] = (await once(server, 'connection')) as [Socket];
  server.close();
  opened.push(near, far);
  return { near, far };
}

describe('a shared reader', () => {
  it('lends what comes: who keeps it finds it spoilt in tests', async () => {
    const seen: string[] = [];
    const kept: Buffer[] = [];
    const reader = new SharedReader();
    reader.onBytes = (bytes) => {
      seen.push(bytes.toString());
      kept.push(bytes);
    };
    const { near, far } = await open(reader);
    far.end('hello');
    await once(near, 'end');
    expect(seen).toEqual(['hello']);
    expect(Buffer.concat(kept)).toEqual(Buffer.alloc(5, 0xdb));
  });

  it("drops what is nobody's", async () => {
    const { near, far } = await open(new SharedReader());
    far.end('hello');
    await once(near, 'end');
    expect(near.bytesRead).toBe(5);
  });

  it('reads into the same memory for all', async () => {
    const readers = [new SharedReader(), new SharedReader()];
    const memories = new Set<ArrayBufferLike>();
    for (const reader of readers) {
      reader.onBytes = (bytes) => memories.add(bytes.buffer);
      const { near, far } = await open(reader);
      far.end('x');
      await once(near, 'end');
    }
    expect(memories.size).toBe(1);
  });

  it('stands still while its socket is paused', async () => {
    const reader = new SharedReader();
    let length = 0;
    const { near, far } = await open(reader);
    reader.onBytes = (bytes) => {
      length += bytes.length;
      near.pause();
    };
    far.end(Buffer.alloc(1_000_000));
    while (length < 1_000_000) {
      const before = length;
      near.resume();
      while (length === before) await new Promise((resolve) => setImmediate(resolve));
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      expect(length - before).toBeLessThanOrEqual(64 * 1024);
    }
    near.resume();
    await once(near, 'end');
    expect(length).toBe(1_000_000);
  });
});
