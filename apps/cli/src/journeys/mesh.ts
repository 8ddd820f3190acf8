import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

/** Root of the checkout. */
export const repository = resolve(import.meta.dirname, '../../../..');
/** The command line, as npx starts it. */
export const program = join(repository, 'apps/cli/bin/flotilla.js');

export interface ProxySummary {
  readonly name: string;
  readonly namespace: string;
  readonly pid: number;
  readonly applicationPid: number;
  readonly admin: string;
  readonly httpProxy: string | null;
  readonly ports: readonly {
    readonly name: string;
    readonly port: number;
    readonly address: string;
    readonly application?: string;
  }[];
}

export interface UpSummary {
  readonly ready: true;
  readonly seconds: number;
  readonly ingress: string;
  readonly api: string;
  readonly pid: number;
  readonly controlPlanePid: number;
  readonly logs: string;
  readonly proxies: readonly ProxySummary[];
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A mesh run by `flotilla up` in a process of its own, with a FLOTILLA_HOME of its own. */
export class TestMesh {
  readonly summary: UpSummary;
  readonly child: ChildProcess;
  readonly home: string;

  private constructor(summary: UpSummary, child: ChildProcess, home: string) {
    this.summary = summary;
    this.child = child;
    this.home = home;
  }

  static async start(meshFile: string, args: readonly string[] = []): Promise<TestMesh> {
    const home = mkdtempSync(join(tmpdir(), 'flotilla-test-'));
    const child = spawn(
      process.execPath,
      [program, 'up', '-f', meshFile, '--any-port', '-o', 'json', '--log-format', 'json', ...args],
      { cwd: repository, env: { ...process.env, FLOTILLA_HOME: home }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let errors = '';
    child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    const exited = once(child, 'exit').then(() => {
      throw new Error(`flotilla up ended before it was ready:\n${errors}`);
    });
    const line = await Promise.race([firstLine(child), exited]);
    exited.catch(() => undefined); // From now on its end is the test's business.
    // The command's own documented output.
    return new TestMesh(JSON.parse(line) as UpSummary, child, home);
  }

  proxy(name: string): ProxySummary {
    const found = this.summary.proxies.find((proxy) => proxy.name === name);
    if (found === undefined) throw new Error(`the mesh has no proxy ${name}`);
    return found;
  }

  /** Runs a command of the command line against this mesh. */
  run(...args: string[]): Promise<CommandResult> {
    return runFlotilla(args, { FLOTILLA_HOME: this.home });
  }

  async apply(...files: string[]): Promise<void> {
    const result = await this.run('apply', ...files.flatMap((file) => ['-f', file]));
    if (result.code !== 0) throw new Error(`apply ${files.join(' ')} failed:\n${result.stderr}${result.stdout}`);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const exited = once(this.child, 'exit');
      this.child.kill('SIGTERM');
      await exited;
    }
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** Runs the command line once. */
export function runFlotilla(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  return new Promise((done) => {
    const options = { cwd: repository, env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024 };
    execFile(process.execPath, [program, ...args], options, (error, stdout, stderr) => {
      // A process that could not be started has a text as its code.
      done({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, stdout, stderr });
    });
  });
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('the command has no standard output');
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return line;
}
