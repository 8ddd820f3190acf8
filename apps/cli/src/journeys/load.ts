import { Agent, request } from 'node:http';

export interface LoadReport {
  readonly sent: number;
  readonly failures: readonly string[];
  /** When the load itself could not go on, because the machine was busy or stood still. */
  readonly stalls: readonly string[];
}

export interface Target {
  readonly host: string;
  readonly port: number;
  /** In absolute form for a forward proxy. */
  readonly path: string;
  readonly authority: string;
}

const TICK_MS = 5;
const STALL_MS = 250;

/**
 * Sends requests at a fixed rate, whether or not earlier ones have been answered (an open loop), until `stop`.
 * Anything but a 200 with a whole body is a failure.
 */
export class Load {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256 });
  readonly #failures: string[] = [];
  readonly #stalls: string[] = [];
  readonly #pending = new Set<Promise<void>>();
  readonly #ticker: NodeJS.Timeout;
  #sent = 0;

  constructor(target: Target, ratePerSecond: number) {
    const startedMs = performance.now();
    let lastMs = startedMs;
    this.#ticker = setInterval(() => {
      const nowMs = performance.now();
      const missedMs = nowMs - lastMs - TICK_MS;
      if (missedMs > STALL_MS) this.#stalls.push(`${new Date().toISOString()}: late by ${Math.round(missedMs)} ms`);
      lastMs = nowMs;
      const due = ((performance.now() - startedMs) / 1000) * ratePerSecond;
      while (this.#sent < due) this.#send(target);
    }, TICK_MS);
  }

  get failures(): readonly string[] {
    return this.#failures;
  }

  get sent(): number {
    return this.#sent;
  }

  /** Ends the load and waits for the answers that are still due. */
  async stop(): Promise<LoadReport> {
    clearInterval(this.#ticker);
    await Promise.all(this.#pending);
    this.#agent.destroy();
    return { sent: this.#sent, failures: this.#failures, stalls: this.#stalls };
  }

  #send(target: Target): void {
    this.#sent += 1;
    const at = new Date().toISOString();
    const one = new Promise<void>((resolve) => {
      const fail = (why: string) => {
        this.#failures.push(`${at} ${target.authority}: ${why}`);
        resolve();
      };
      const call = request(
        {
          host: target.host,
          port: target.port,
          path: target.path,
          agent: this.#agent,
          headers: { host: target.authority },
        },
        (response) => {
          let body = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => (body += chunk));
          response.once('end', () => {
            if (response.statusCode === 200) resolve();
            else fail(`status ${response.statusCode} ${body.slice(0, 200)}`);
          });
          response.once('error', (error) => fail(error.message));
        },
      );
      call.once('error', (error) => fail(error.message));
      call.end();
    });
    this.#pending.add(one);
    void one.then(() => this.#pending.delete(one));
  }
}
