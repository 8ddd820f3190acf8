import { fileURLToPath } from 'node:url';
import { silentLogger } from '@flotilla/observe';
import { systemClock } from '@flotilla/runtime';
import { afterEach, describe, expect, it } from 'vitest';
import { CheckLane, type LaneOptions } from './lane.ts';
import type { CheckRequest } from './messages.ts';

const lanes: CheckLane[] = [];
afterEach(async () => {
  await Promise.all(lanes.splice(0).map((lane) => lane.close()));
});

function openLane(options: Partial<LaneOptions> = {}): CheckLane {
  const lane = new CheckLane({
    subject: 'documents',
    maxWaiting: 10,
    budgetMs: 60_000,
    maxMemoryMib: 32,
    idleMs: 60_000,
    clock: systemClock,
    logger: silentLogger,
    workerProgram: fileURLToPath(new URL('./testing-worker.ts', import.meta.url)),
    ...options,
  });
  lanes.push(lane);
  return lane;
}

const asking = (yaml: string) =>
  ({ kind: 'validate', documents: [{ source: 'f', yaml }], defaultNamespace: 'default' }) satisfies CheckRequest;

describe('a lane of checks', () => {
  it('answers in order', async () => {
    const lane = openLane();
    const answers = await Promise.all(['a', 'b', 'c'].map((text) => lane.run(asking(text))));
    expect(answers.flatMap(({ ignored }) => ignored)).toEqual(['a', 'b', 'c']);
  });

  it.each([
    ['takes too long', 'never', { code: 'exhausted', message: /took longer than 100 ms, and was ended$/ }],
    ['takes too much memory', 'memory', { code: 'exhausted', message: /took more than 32 MiB$/ }],
    ['kills the worker', 'die', { code: 'internal', message: /failed$/ }],
  ])('ends what %s, and goes on with the next', async (_, text, { code, message }) => {
    const lane = openLane(text === 'never' ? { budgetMs: 100 } : {});
    const refused = lane.run(asking(text));
    const next = lane.run(asking('next'));
    await expect(refused).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    await expect(next).resolves.toMatchObject({ ignored: ['next'] });
  });

  it('refuses who comes when too many wait', async () => {
    const lane = openLane({ maxWaiting: 1 });
    const first = lane.run(asking('first'));
    await expect(lane.run(asking('second'))).rejects.toMatchObject({ code: 'exhausted' });
    await expect(first).resolves.toMatchObject({ ignored: ['first'] });
  });

  it('ends what nobody waits for any more', async () => {
    const lane = openLane();
    const caller = new AbortController();
    const given = lane.run(asking('never'), caller.signal);
    const waiting = new AbortController();
    const behind = lane.run(asking('behind'), waiting.signal);
    const last = lane.run(asking('last'));
    waiting.abort();
    await expect(behind).rejects.toMatchObject({ code: 'unavailable' });
    caller.abort();
    await expect(given).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching('nothing was changed'),
    });
    await expect(last).resolves.toMatchObject({ ignored: ['last'] });
  });

  it('tells those who wait that galley closes', async () => {
    const lane = openLane();
    const asked = [lane.run(asking('never')), lane.run(asking('b'))].map((each) =>
      each.catch((error: { code: string }) => error.code),
    );
    await lane.close();
    expect(await Promise.all(asked)).toEqual(['unavailable', 'unavailable']);
    await expect(lane.run(asking('c'))).rejects.toMatchObject({ code: 'unavailable' });
  });
});
