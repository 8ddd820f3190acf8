import { spawn } from 'node:child_process';

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
    const child = spawn(program, args, {
      env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:${SYSTEM_FOLDERS}`, LC_ALL: 'C' },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdin.on('error', () => undefined); // It ended without reading; its exit code says why.
    child.once('error', (error: NodeJS.ErrnoException) =>
      resolve({ code: -1, stdout, stderr: error.message, isMissing: error.code === 'ENOENT' }),
    );
    child.once('close', (code) => resolve({ code: code ?? -1, stdout, stderr, isMissing: false }));
    child.stdin.end(input);
  });
