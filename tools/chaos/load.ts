import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { OwnProcess } from '../../apps/cli/src/journeys/services/process.ts';

/** What the load is told. */
export interface LoadPlan {
  /** Sidecars that are asked as forward proxies. */
  readonly clients: readonly { readonly name: string; readonly port: number }[];
  readonly services: readonly string[];
  readonly servicePort: number;
  readonly requestsPerSecond: number;
  /** File of failures, one JSON object a line. */
  readonly journal: string;
}

/** A request that got anything but a 200 with the answer of its service. Times are milliseconds since the epoch. */
export interface Failure {
  readonly number: number;
  readonly sentMs: number;
  readonly endedMs: number;
  readonly client: string;
  readonly service: string;
  /** 0 for none. */
  readonly status: number;
  readonly error: string;
}

export interface LoadTotals {
  readonly sent: number;
  readonly failed: number;
  /** For how long the load itself stood still, because the machine was busy. */
  readonly stallsMs: number;
}

/** Requests at a fixed rate whether or not earlier ones were answered, from a process of its own. */
export class Load {
  readonly #process: OwnProcess;
  readonly #plan: LoadPlan;

  constructor(plan: LoadPlan) {
    this.#plan = plan;
    const program = join(import.meta.dirname, 'load-main.ts');
    this.#process = new OwnProcess('load', [process.execPath, program, JSON.stringify(plan)]).start();
  }

  /** Ends it when the last answer is there. */
  async stop(): Promise<{ readonly totals: LoadTotals; readonly failures: readonly Failure[] }> {
    const code = await this.#process.end('SIGTERM');
    if (code !== 0) throw new Error(`the load ended with ${code}:\n${this.#process.output}`);
    const lines = existsSync(this.#plan.journal) ? readFileSync(this.#plan.journal, 'utf8').split('\n') : [];
    return {
      // What load-main prints and writes.
      totals: JSON.parse(this.#process.output) as LoadTotals,
      failures: lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Failure),
    };
  }
}
