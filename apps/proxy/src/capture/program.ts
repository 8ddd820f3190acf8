import { startChild } from '@flotilla/sockets/child-process';
import { closeFollows } from '@flotilla/sockets/errors';

export interface ProgramResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** There is no such program. */
  readonly isMissing: boolean;
}

/** Runs a program to its end, with this text as its standard input. Never rejects. */
export type RunProgram = (command: readonly string[], input?: string) => Promise<ProgramResult>;

/** Where Debian and Alpine keep them, which a user's PATH may lack. */
const SYSTEM_FOLDERS = '/usr/local/sbin:/usr/sbin:/sbin';

export const runProgram: RunProgram = ([program = '', ...args], input = '') =>
  new Promise((resolve) => {
    let stdout = '';
    let stderr = '';
    const child = startChild(
      program,
      args,
      { env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:${SYSTEM_FOLDERS}`, LC_ALL: 'C' } },
      {
        onEnd({ error }) {
          if (error === null) return;
          const isMissing = 'code' in error && error.code === 'ENOENT';
          resolve({ code: -1, stdout, stderr: error.message, isMissing });
        },
        onError: closeFollows,
      },
    );
    child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    // Its output is whole only now.
    child.once('close', (code) => resolve({ code: code ?? -1, stdout, stderr, isMissing: false }));
    child.stdin?.end(input);
  });
