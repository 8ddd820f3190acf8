import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { create } from '@bufbuild/protobuf';
import { type Logger, silentLogger } from '@flotilla/observe';
import { FakeClock } from '@flotilla/runtime';
import { ClusterSchema } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { NodeSchema } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createSecretTable } from '../identity/secret-table.ts';
import { StatsRegistry } from '../base/stats.ts';
import { deltaDialect } from './delta-dialect.ts';
import { openDiscoveryStream } from './discovery-stream.ts';
import { compileGrpcCluster } from './grpc-cluster.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A discovery stream to a peer that treats each connection as it likes, and what the log says of the delays between. */
async function follow(serve: (socket: Socket) => void) {
  let accepted = 0;
  const server = createServer((socket) => {
    accepted += 1;
    cleanups.push(() => socket.destroy());
    serve(socket.on('error', () => undefined));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  cleanups.push(() => server.close());
  const clock = new FakeClock();
  const delays: number[] = [];
  const logger: Logger = {
    ...silentLogger,
    warn: (_message, fields) => {
      if (fields !== undefined && 'retryInMs' in fields) delays.push(Number(fields.retryInMs));
    },
  };
  const address = { address: '127.0.0.1', portSpecifier: { case: 'portValue' as const, value: portOf(server) } };
  const config = create(ClusterSchema, {
    name: 'xds',
    loadAssignment: {
      endpoints: [
        {
          lbEndpoints: [
            {
              hostIdentifier: {
                case: 'endpoint',
                value: { address: { address: { case: 'socketAddress', value: address } } },
              },
            },
          ],
        },
      ],
    },
  });
  const stream = openDiscoveryStream(deltaDialect(), {
    cluster: compileGrpcCluster(config, createSecretTable(), clock),
    node: create(NodeSchema, { id: 'x' }),
    apply: {},
    clock,
    random: () => 0.9,
    logger,
    stats: new StatsRegistry(),
  });
  cleanups.push(() => stream.close());
  return { clock, stream, delays, accepted: () => accepted };
}

function portOf(server: ReturnType<typeof createServer>): number {
  return (server.address() as AddressInfo).port; // a listening TCP server
}

const SETTINGS = Buffer.from('000000040000000000', 'hex');

describe('a control plane', () => {
  it.each([
    ['that accepts and says nothing', () => undefined],
    ['that reads nothing', (socket: Socket) => socket.pause()],
    ['that stops in the middle of a frame', (socket: Socket) => socket.write(SETTINGS.subarray(0, 5))],
    ['that greets and then stands still', (socket: Socket) => socket.write(SETTINGS)],
  ])('%s is let go of when it answers no PING, and asked again', async (_, serve) => {
    const { clock, stream, delays, accepted } = await follow(serve);
    await vi.waitFor(() => expect(stream.isConnected()).toBe(true));
    clock.advance(20_000);
    clock.advance(9_999);
    expect(stream.isConnected()).toBe(true);
    clock.advance(1);
    await vi.waitFor(() => expect(stream.isConnected()).toBe(false));
    expect(delays).toEqual([225]);
    clock.advance(225);
    await vi.waitFor(() => expect([stream.isConnected(), accepted()]).toEqual([true, 2]));
  });

  it.each([
    ['in another protocol', (socket: Socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['with frames that are none', (socket: Socket) => socket.write(Buffer.alloc(64, 0xff))],
    [
      'with a frame for a stream that is not',
      (socket: Socket) => socket.write(Buffer.concat([SETTINGS, Buffer.from('000001000100000063ff', 'hex')])),
    ],
    ['with a reset', (socket: Socket) => socket.resetAndDestroy()],
    ['with the end', (socket: Socket) => socket.end()],
  ])('that answers %s is asked ever more seldom', async (_, serve) => {
    const { clock, delays } = await follow((socket) => socket.once('data', () => serve(socket)));
    for (const [at, delayMs] of [225, 450, 900, 1_800, 3_600, 4_500, 4_500].entries()) {
      await vi.waitFor(() => expect(delays).toHaveLength(at + 1));
      expect(delays[at]).toBe(delayMs);
      clock.advance(delayMs);
    }
  });
});
