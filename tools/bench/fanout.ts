/**
 * How fast a change spreads: from galley's commit, on Redis that syncs every write to disk, to the last of the pilots
 * that hears of it and to the last of the proxies that acknowledges it. Every part is a process of its own, but for the
 * proxies, which are xDS clients in this one.
 *
 *   npm run bench -- fanout [--pilots 10] [--proxies 200] [--changes 200] [--debounce-ms 10] [--json]
 *
 * Needs redis-server. Pilots push after the debounce, which is part of the second figure; a pilot's own default is 100.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createClient } from '@connectrpc/connect';
import { createRpcTransport } from '@flotilla/rpc/client';
import { findPeer, startRedisServer } from '@flotilla/testing';
import { GalleyService } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { DeltaTestClient } from '../../apps/pilot/src/testing/delta-client.ts';
import { type FanoutMessage, type Instant, millisecondsBetween, now } from './fanout/messages.ts';
import { formatTable, quantile } from './statistics.ts';

const WARM_UP = 20;
const CHANGE_DEADLINE_MS = 30_000;
const ROUTES = 'http_proxy';

interface Spread {
  /** From the commit to the last pilot, in milliseconds. */
  readonly pilotsMs: number;
  readonly proxiesMs: number;
}

export async function run(argv: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      pilots: { type: 'string', default: '10' },
      proxies: { type: 'string', default: '200' },
      changes: { type: 'string', default: '200' },
      'debounce-ms': { type: 'string', default: '10' },
      json: { type: 'boolean', default: false },
    },
  });
  const [pilots, proxies, changes] = [Number(values.pilots), Number(values.proxies), Number(values.changes)];
  const program = findPeer('redis-server');
  if (program === null) throw new Error('needs redis-server: apt-get install redis-server');
  const redis = await startRedisServer({ program, durable: true });
  const mesh = new FanoutMesh();
  try {
    await mesh.start(redis.url, pilots, proxies, values['debounce-ms']);
    for (let change = 0; change < WARM_UP; change++) await mesh.change(change);
    const spreads: Spread[] = [];
    for (let change = 0; change < changes; change++) spreads.push(await mesh.change(WARM_UP + change));
    report(spreads, { pilots, proxies, debounceMs: Number(values['debounce-ms']) }, values.json);
  } finally {
    mesh.close();
    await redis.close();
  }
}

function report(
  spreads: readonly Spread[],
  facts: { readonly pilots: number; readonly proxies: number; readonly debounceMs: number },
  isJson: boolean,
): void {
  const rows = [
    { what: `the last of ${facts.pilots} pilots notified`, of: spreads.map(({ pilotsMs }) => pilotsMs) },
    { what: `the last of ${facts.proxies} proxies acknowledged`, of: spreads.map(({ proxiesMs }) => proxiesMs) },
  ].map(({ what, of }) => ({ what, p50Ms: quantile(of, 0.5), p99Ms: quantile(of, 0.99) }));
  if (isJson) {
    for (const row of rows) console.log(JSON.stringify({ bench: 'fanout', changes: spreads.length, ...facts, ...row }));
    return;
  }
  console.log(
    formatTable([
      [`from the commit (${spreads.length} changes, debounce ${facts.debounceMs} ms) to`, 'p50 ms', 'p99 ms'],
      ...rows.map(({ what, p50Ms, p99Ms }) => [what, p50Ms.toFixed(1), p99Ms.toFixed(1)]),
    ]),
  );
}

/** Galley, pilots and xDS clients, and what they said of each version. */
class FanoutMesh {
  readonly #children: ChildProcess[] = [];
  readonly #clients: DeltaTestClient[] = [];
  readonly #committed = new Map<number, Instant>();
  readonly #notified = new Map<number, Instant[]>();
  #apply: (yaml: string) => Promise<number> = () => Promise.reject(new Error('not started'));
  #pilots = 0;
  #wake: () => void = () => undefined;

  async start(redisUrl: string, pilots: number, proxies: number, debounceMs: string): Promise<void> {
    this.#pilots = pilots;
    const galley = await this.#spawn('galley', [redisUrl], (said) => (said.type === 'galley' ? said.url : null));
    const client = createClient(GalleyService, createRpcTransport({ url: galley }));
    this.#apply = async (yaml) => Number((await client.apply({ documents: [{ source: 'bench', yaml }] })).version);
    await this.#apply(SERVICE);
    const ports = await Promise.all(
      Array.from({ length: pilots }, () =>
        this.#spawn('pilot', [redisUrl, galley, debounceMs], (said) => (said.type === 'pilot' ? said.xdsPort : null)),
      ),
    );
    for (let at = 0; at < proxies; at++) {
      const port = ports[at % ports.length] ?? 0;
      const proxy = new DeltaTestClient({ address: { host: '127.0.0.1', port }, node: nodeOf(at) });
      proxy.subscribe('RDS', ROUTES);
      this.#clients.push(proxy);
    }
    await Promise.all(this.#clients.map((proxy) => proxy.has('RDS', ROUTES)));
  }

  /** Commits one change, and waits until it is everywhere. */
  async change(number: number): Promise<Spread> {
    for (const proxy of this.#clients) proxy.forget();
    let lastProxy: Instant = now();
    const acknowledged = Promise.all(
      this.#clients.map(async (proxy) => {
        // The client acknowledges as it takes a response in.
        await proxy.until(() => proxy.arrivals.length > 0, 'the change');
        lastProxy = now();
      }),
    );
    const version = await this.#apply(virtualService(number));
    await withDeadline(acknowledged, `change ${number} did not reach every proxy`);
    await withDeadline(this.#everyPilot(version), `change ${number} did not reach every pilot`);
    const committed = this.#committed.get(version) ?? lastProxy;
    const pilotsMs = Math.max(...(this.#notified.get(version) ?? []).map((at) => millisecondsBetween(committed, at)));
    return { pilotsMs, proxiesMs: millisecondsBetween(committed, lastProxy) };
  }

  close(): void {
    for (const client of this.#clients) client.close();
    for (const child of this.#children) child.kill('SIGKILL');
  }

  async #everyPilot(version: number): Promise<void> {
    while ((this.#notified.get(version)?.length ?? 0) < this.#pilots || !this.#committed.has(version)) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #spawn<T>(name: string, args: readonly string[], ready: (message: FanoutMessage) => T | null): Promise<T> {
    const child = fork(join(import.meta.dirname, `fanout/${name}.ts`), [...args]);
    this.#children.push(child);
    return new Promise((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`${name} ended with ${code}`)));
      child.on('message', (message: FanoutMessage) => {
        const value = ready(message);
        if (value !== null) resolve(value);
        else this.#note(message);
      });
    });
  }

  #note(message: FanoutMessage): void {
    if (message.type === 'committed') this.#committed.set(message.version, message.at);
    if (message.type === 'notified') {
      this.#notified.set(message.version, [...(this.#notified.get(message.version) ?? []), message.at]);
    }
    this.#wake();
  }
}

async function withDeadline<T>(work: Promise<T>, complaint: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`${complaint} within ${CHANGE_DEADLINE_MS} ms`)),
    CHANGE_DEADLINE_MS,
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function nodeOf(at: number) {
  return {
    id: `sidecar~10.0.${Math.floor(at / 250)}.${(at % 250) + 1}~proxy-${at}.default~default.svc.cluster.local`,
    metadata: { NAMESPACE: 'default', INTERCEPTION_MODE: 'NONE', HTTP_PROXY_PORT: '15080' },
  };
}

const SERVICE = `
apiVersion: v1
kind: Service
metadata: { name: reviews }
spec: { selector: { app: reviews }, ports: [{ name: http, port: 9080 }] }
`;

function virtualService(change: number): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - route: [{ destination: { host: reviews } }]
      headers: { response: { set: { x-change: '${change}' } } }
`;
}
