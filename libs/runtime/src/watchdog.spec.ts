import { describe, expect, it } from 'vitest';
import { FakeClock } from './clock.ts';
import { openWatchdog, TRY_EVERY_MS } from './watchdog.ts';

/** Processes of which some answer, on a clock that is moved one try at a time. */
function world(names: readonly string[]) {
  const clock = new FakeClock();
  const killed: string[] = [];
  const stalls: number[] = [];
  const silent = new Set<string>();
  const runs = new Map(names.map((name, at) => [name, at + 1]));
  const dog = openWatchdog(clock, (lateMs) => stalls.push(lateMs));
  for (const name of names) {
    dog.watch({
      name,
      run: () => runs.get(name) ?? null,
      hasStarted: false,
      answers: () => Promise.resolve(!silent.has(name)),
      onSilent: (silentMs) => killed.push(`${name} after ${silentMs / 1000} s`),
    });
  }
  const tries = async (count: number): Promise<void> => {
    for (let at = 0; at < count; at++) {
      clock.advance(TRY_EVERY_MS);
      // What was asked answers before the next try.
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { clock, killed, stalls, silent, runs, dog, tries };
}

describe('a watchdog', () => {
  it('ends what has not answered five times in a row', async () => {
    const { killed, silent, tries } = world(['a', 'b']);
    await tries(2);
    silent.add('a');
    await tries(5);
    expect(killed).toEqual([]);
    await tries(1);
    expect(killed).toEqual(['a after 15 s']);
  });

  it('begins to count anew with every answer', async () => {
    const { killed, silent, tries } = world(['a']);
    await tries(1);
    for (let round = 0; round < 4; round++) {
      silent.add('a');
      await tries(4);
      silent.delete('a');
      await tries(1);
    }
    expect(killed).toEqual([]);
  });

  it('leaves a run that starts more time', async () => {
    const { killed, silent, tries } = world(['a']);
    silent.add('a');
    await tries(20);
    expect(killed).toEqual([]);
    await tries(1);
    expect(killed).toEqual(['a after 60 s']);
  });

  it('does not ask what does not run, nor holds against a new run what the old one did', async () => {
    const { killed, silent, runs, tries } = world(['a']);
    await tries(1);
    silent.add('a');
    await tries(4);
    runs.delete('a');
    await tries(10);
    runs.set('a', 7);
    await tries(10);
    expect(killed).toEqual([]);
  });

  it('ends one at a time where many are silent together', async () => {
    const { killed, silent, tries } = world(['a', 'b', 'c']);
    await tries(1);
    for (const name of ['a', 'b', 'c']) silent.add(name);
    await tries(6);
    expect(killed).toHaveLength(1);
    await tries(3);
    expect(killed).toHaveLength(1);
    await tries(1);
    expect(killed).toHaveLength(2);
  });

  it('counts nothing of a time in which it stood still itself', async () => {
    const { clock, killed, stalls, silent, tries } = world(['a', 'b']);
    await tries(1);
    for (const name of ['a', 'b']) silent.add(name);
    await tries(4);
    // As a process that was stopped for a minute finds its timer.
    clock.sleep(60_000);
    await tries(1);
    silent.clear();
    await tries(5);
    expect(killed).toEqual([]);
    // The timer was due within the first three seconds of it.
    expect(stalls).toEqual([57_000]);
  });

  it('asks again only when the last question was answered or given up', async () => {
    const clock = new FakeClock();
    let asked = 0;
    const dog = openWatchdog(clock, () => undefined);
    dog.watch({
      name: 'a',
      run: () => 1,
      hasStarted: true,
      answers: () => {
        asked += 1;
        return new Promise(() => undefined);
      },
      onSilent: () => undefined,
    });
    clock.advance(10 * TRY_EVERY_MS);
    expect(asked).toBe(1);
    dog.close();
    expect(clock.pendingCount).toBe(0);
  });
});
