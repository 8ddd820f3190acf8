import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';

const streams = JSON.stringify(new URL('./standard-streams.ts', import.meta.url).href);

/** Starts a program that writes lines to standard output from now on, and says on standard error how it got on. */
function startWriter(output: 'pipe' | number) {
  const program = `
    import { standardOutput } from ${streams};
    const output = standardOutput();
    const failures = new Set();
    output.on('error', ({ code }) => failures.add(code));
    for (let line = 0; line < 20; line++) {
      output.write('a line\\n');
      await new Promise((resolve) => setImmediate(resolve));
      if (line === 0) await new Promise((resolve) => process.once('message', resolve));
    }
    process.send([...failures]);
    process.disconnect();
  `;
  return spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', output, 'inherit', 'ipc'],
  });
}

describe('standard output', () => {
  it('whose reader is gone ends no process', async () => {
    const child = startWriter('pipe');
    if (child.stdout === null) throw new Error('no pipe');
    await once(child.stdout, 'data');
    child.stdout.destroy();
    child.send('go on');
    const [[failures], [code]] = await Promise.all([once(child, 'message'), once(child, 'exit')]);
    expect([failures, code]).toEqual([['EPIPE'], 0]);
  });

  it('on a full disk ends no process', async () => {
    const full = openSync('/dev/full', 'w');
    const child = startWriter(full);
    closeSync(full);
    child.send('go on');
    const [[failures], [code]] = await Promise.all([once(child, 'message'), once(child, 'exit')]);
    expect([failures, code]).toEqual([['ENOSPC'], 0]);
  });
});
