import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const DONE = '@@done@@';

export interface PageShellOptions {
  /** Where scripts run. */
  readonly directory: string;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * One bash that a page's scripts are typed into, one after another: variables, functions and jobs of one are there for the
 * next. It ends at the first command that fails, as a reader would.
 */
export class PageShell {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  #output: string[] = [];
  #onDone: () => void = () => {};

  constructor({ directory, env }: PageShellOptions) {
    const child = spawn('bash', [], { cwd: directory, env, stdio: ['pipe', 'pipe', 'ignore'], detached: true });
    this.#child = child;
    this.#closed = once(child, 'exit');
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line === DONE) this.#onDone();
      else this.#output.push(line);
    });
    // It has ended at a command that failed, which `run` tells.
    child.stdin.on('error', () => {});
    // In one pipe, what was written before a mark is read before it.
    child.stdin.write('exec 2>&1; set -euo pipefail\n');
  }

  /** Runs a script; resolves with what it wrote. Rejects, with the same, when a command of it fails. */
  async run(script: string): Promise<string> {
    this.#output = [];
    const done = new Promise<void>((resolve) => (this.#onDone = resolve));
    this.#child.stdin?.write(`${script}\necho ${DONE}\n`);
    const failed = this.#closed.then(() => {
      throw new Error(`a command of the page failed:\n${script}\n--- it wrote\n${this.#output.join('\n')}`);
    });
    await Promise.race([done, failed]);
    return this.#output.join('\n');
  }

  /** Ends it with everything that it started. */
  async close(): Promise<void> {
    if (this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, 'SIGKILL');
    } catch {
      // All of it has ended.
    }
    await this.#closed;
  }
}
