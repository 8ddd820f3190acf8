import { silentLogger } from '@flotilla/observe';
import { createInMemoryTransport } from '@flotilla/rpc';
import { FakeClock } from '@flotilla/runtime';
import { GalleyService } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { expect, it } from 'vitest';
import { createWatchBus } from './watch-bus.ts';

it("announces galley's versions, and goes on from the last one when the stream breaks", async () => {
  const clock = new FakeClock();
  const asked: (readonly [bigint, string])[] = [];
  const second = Promise.withResolvers<void>();
  const bus = createWatchBus({
    galley: createInMemoryTransport((router) =>
      router.service(GalleyService, {
        async *watch({ sinceVersion, sinceEpoch }, { signal }) {
          asked.push([sinceVersion, sinceEpoch]);
          yield { epoch: 'e', version: sinceVersion + 1n, changes: [] };
          if (asked.length === 1) throw new Error('the stream breaks');
          second.resolve();
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
        },
      }),
    ),
    clock,
    random: () => 0.5,
    logger: silentLogger,
  });
  const heard: number[] = [];
  await bus.subscribe(({ epoch, version }) => heard.push(epoch === 'e' ? version : -1));
  await expect.poll(() => clock.pendingCount).toBe(1);
  clock.advance(10_000);
  await second.promise;
  await expect.poll(() => heard).toEqual([1, 2]);
  expect(asked).toEqual([
    [0n, ''],
    [1n, 'e'],
  ]);
  await bus.close();
  await expect(bus.subscribe(() => undefined)).rejects.toMatchObject({ code: 'unavailable' });
});
