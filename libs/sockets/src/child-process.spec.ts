import { describe, expect, it } from 'vitest';
import { type ChildEnd, startChild } from './child-process.ts';

function run(program: string, args: readonly string[] = []) {
  const ended = Promise.withResolvers<ChildEnd>();
  const errors: Error[] = [];
  let ends = 0;
  const child = startChild(
    program,
    args,
    { stdio: ['pipe', 'ignore', 'ignore'] },
    {
      onEnd(end) {
        ends += 1;
        ended.resolve(end);
      },
      onError: (error) => errors.push(error),
    },
  );
  return { child, errors, ended: ended.promise, ends: () => ends };
}

describe('a child process', () => {
  it.each([
    ['that ends by itself', ['-c', 'exit 3'], { code: 3, signal: null, error: null }],
    ['that a signal ends', ['-c', 'kill -KILL $$'], { code: null, signal: 'SIGKILL', error: null }],
  ])('%s says how', async (_, args, end) => {
    expect(await run('/bin/sh', args).ended).toEqual(end);
  });

  it('of a program that does not exist ends with that, once', async () => {
    const { ended, ends, errors } = run('/nowhere/program');
    expect(await ended).toMatchObject({ code: null, error: { code: 'ENOENT' } });
    await new Promise((resolve) => setImmediate(resolve));
    expect([ends(), errors]).toEqual([1, []]);
  });

  it('that the system refuses at once ends in the same way, and has no process', async () => {
    const { child, ended } = run('/bin/sh', ['x'.repeat(4 * 1024 * 1024)]);
    expect([child.pid, child.kill()]).toEqual([undefined, false]);
    expect(await ended).toMatchObject({ code: null, error: { code: 'E2BIG' } });
  });

  it('that does not read what it is told costs nobody anything', async () => {
    const { child, ended } = run('/bin/sh', ['-c', 'exec 0<&-; exit 0']);
    child.stdin?.write('a line\n');
    await ended;
    child.stdin?.write(Buffer.alloc(1024 * 1024));
    await new Promise((resolve) => setImmediate(resolve));
  });
});
