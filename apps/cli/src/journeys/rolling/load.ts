import { type Agent, request } from 'node:http';

/** What one kind of request came to. */
export interface Outcome {
  readonly name: string;
  readonly sent: number;
  readonly failures: readonly string[];
}

const TICK_MS = 5;

/** Calls `send` at a fixed rate, whether or not earlier calls are over, until `stop`. */
export class Rate {
  readonly #name: string;
  readonly #failures: string[] = [];
  readonly #pending = new Set<Promise<void>>();
  readonly #ticker: NodeJS.Timeout;
  #sent = 0;

  constructor(name: string, perSecond: number, send: () => Promise<void>) {
    this.#name = name;
    const startedMs = performance.now();
    this.#ticker = setInterval(() => {
      const due = ((performance.now() - startedMs) / 1000) * perSecond;
      while (this.#sent < due) this.#start(send);
    }, TICK_MS);
  }

  /** Ends the load and waits for what is still open. */
  async stop(): Promise<Outcome> {
    clearInterval(this.#ticker);
    await Promise.all(this.#pending);
    return { name: this.#name, sent: this.#sent, failures: this.#failures };
  }

  #start(send: () => Promise<void>): void {
    this.#sent += 1;
    const at = new Date().toISOString();
    const one: Promise<void> = send()
      .catch((error: unknown) => void this.#failures.push(`${at} ${this.#name}: ${String(error)}`))
      .finally(() => this.#pending.delete(one));
    this.#pending.add(one);
  }
}

export interface Call {
  readonly method: 'GET' | 'POST';
  /** Where the connection goes; asked again when nobody listens there. */
  readonly origin: () => string;
  /** In absolute form for a forward proxy. */
  readonly target: string;
  readonly authority: string;
}

/** Sends one request over HTTP/1.1. Rejects unless a whole 200 comes. Where nobody listens it goes elsewhere. */
export async function callH1(agent: Agent, call: Call): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await callOnce(agent, call);
      return;
    } catch (error) {
      if (tries === MAX_TRIES || !isRefused(error)) throw error;
    }
  }
}

/** Nobody listens there. */
export function isRefused(error: unknown): boolean {
  for (let each = error; each instanceof Error; each = each.cause) {
    if ('code' in each && each.code === 'ECONNREFUSED') return true;
  }
  return false;
}

const MAX_TRIES = 4;

function callOnce(agent: Agent, { method, origin, target, authority }: Call): Promise<void> {
  const { hostname, port } = new URL(origin());
  return new Promise((resolve, reject) => {
    const call = request(
      { host: hostname, port, path: target, method, agent, headers: { host: authority } },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (body += chunk));
        response.once('end', () => {
          if (response.statusCode === 200) resolve();
          else reject(new Error(`status ${response.statusCode} ${body.slice(0, 200)}`));
        });
        response.once('error', reject);
      },
    );
    call.once('error', reject);
    call.end(method === 'POST' ? 'order' : undefined);
  });
}
