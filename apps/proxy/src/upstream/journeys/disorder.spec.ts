import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type Random, seededRandom } from '@flotilla/runtime';
import type { UpstreamStream } from '../../ports/cluster-manager.ts';
import { get, openWorld, pickHost, startRawServer, staticCluster, until } from './world.ts';

const SEED = Number(process.env['FLOTILLA_SEED'] ?? 99);
const REQUESTS = 1_500;

/** A server that answers with the request's path as body, or misbehaves in a way that chance decides. */
function misbehaving(random: Random): (socket: Socket) => void {
  return (socket) => {
    let seen = '';
    socket.on('data', (chunk) => {
      seen += chunk.toString('latin1');
      for (;;) {
        const head = /^[A-Z]+ (\/\d+) HTTP\/1\.1\r\n([^]*?)\r\n\r\n/.exec(seen);
        if (head === null) return;
        const length = Number(/content-length: (\d+)/.exec(head[2] ?? '')?.[1] ?? 0);
        if (seen.length < head[0].length + length) return;
        seen = seen.slice(head[0].length + length);
        answer(socket, head[1] ?? '', Math.floor(random() * 16));
      }
    });
  };
}

function answer(socket: Socket, body: string, choice: number): void {
  const whole = `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  switch (choice) {
    case 0:
      return void socket.destroy();
    case 1:
      return void socket.resetAndDestroy();
    case 2:
      return void socket.end(whole);
    case 3:
      return void socket.end(whole.slice(0, -1));
    case 4:
      return void socket.write(`${whole}HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nother`);
    case 5:
      return void socket.write('nonsense\r\n\r\n');
    case 6:
      return void socket.end(`HTTP/1.1 200 OK\r\n\r\n${body}`);
    case 7:
      return void socket.write(`HTTP/1.1 103 Early\r\n\r\n${whole}`);
    case 8:
      for (const character of whole) socket.write(character);
      return;
    case 9:
      return void setImmediate(() => socket.write(whole));
    default:
      return void socket.write(
        `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
      );
  }
}

describe(`misbehaving servers (seed ${SEED})`, () => {
  it('give every request one end, its own answer or a failure, and leave nothing behind', async () => {
    const random = seededRandom(SEED);
    const servers = await Promise.all([1, 2, 3].map(() => startRawServer(misbehaving(random))));
    const ports = servers.map((server) => server.port);
    const world = openWorld();
    world.manager.apply(staticCluster(ports, { circuitBreakers: { thresholds: [{ maxConnections: 12 }] } }));
    const outcomes: Record<string, number> = {};
    let running = 0;
    let ended = 0;

    function start(id: number): void {
      const cluster = world.cluster();
      const isAborted = random() < 0.05;
      const body = random() < 0.3 ? Math.floor(random() * 40_000) : null;
      let text = '';
      let ends = 0;
      const end = (outcome: string): void => {
        ends += 1;
        expect(ends).toBe(1);
        running -= 1;
        ended += 1;
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      };
      running += 1;
      let stream: UpstreamStream | null = null;
      const pauseNow = (): void => {
        if (stream === null || random() > 0.3) return;
        stream.pause();
        setImmediate(() => stream?.resume());
      };
      stream = cluster.open(pickHost(cluster), get(`/${id}`, body === null ? {} : { method: 'POST', body }), {
        onConnected: () => undefined,
        onInformational: (status) => expect(status).toBe(103),
        onHead: pauseNow,
        onData(chunk) {
          text += chunk.toString();
          pauseNow();
        },
        onEnd() {
          expect(text).toBe(`/${id}`);
          end('answered');
        },
        onFailure: end,
        onDrain: () => undefined,
      });
      if (body !== null) {
        stream.write(Buffer.alloc(Math.floor(body / 2)));
        const rest = Buffer.alloc(body - Math.floor(body / 2));
        setImmediate(() => {
          stream?.write(rest);
          stream?.end(null);
        });
      }
      if (isAborted) {
        setImmediate(() => {
          if (ends > 0) return;
          stream?.abort();
          end('aborted');
        });
      }
    }

    for (let id = 0; id < REQUESTS; id++) {
      start(id);
      if (id % 100 === 99) world.manager.apply(staticCluster(ports.filter((_port, index) => index !== id % 7)));
      await until(() => running < 24);
    }
    await until(() => running === 0);
    expect(ended).toBe(REQUESTS);
    expect(outcomes['answered']).toBeGreaterThan(REQUESTS / 2);
    expect(outcomes['connect-failure'] ?? 0).toBe(0);
    world.manager.apply(staticCluster([]));
    await until(() => world.value('cluster.c.upstream_cx_active') === 0);
    for (const gauge of ['upstream_rq_active', 'upstream_rq_pending_active', 'membership_total']) {
      expect([gauge, world.value(`cluster.c.${gauge}`)]).toEqual([gauge, 0]);
    }
    world.manager.close();
    await Promise.all(servers.map((server) => server.close()));
  });
});
