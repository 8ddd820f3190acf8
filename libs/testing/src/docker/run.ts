import { execFile } from 'node:child_process';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  /** Laid over this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;

/** Runs a program to its end; what it exits with is the caller's business. Code -1: it could not be started, or was killed. */
export function run(program: string, args: readonly string[], { cwd, env }: RunOptions = {}): Promise<Ran> {
  return new Promise((done) => {
    const options = { cwd, env: { ...process.env, ...env }, maxBuffer: MAX_OUTPUT_BYTES };
    execFile(program, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      done({ code, stdout, stderr: error !== null && stderr === '' ? error.message : stderr });
    });
  });
}

/** Runs a program that has to succeed; its standard output, trimmed. Throws with all that it wrote. */
export async function runOrThrow(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, options);
  if (code === 0) return stdout.trim();
  throw new Error(`${program} ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
}
