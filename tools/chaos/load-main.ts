import { createWriteStream } from 'node:fs';
import { Agent, request } from 'node:http';
import type { Failure, LoadPlan, LoadTotals } from './load.ts';

/* The load, in a process of its own so that nothing else delays it: `node load-main.ts PLAN`. Ends at SIGTERM. */

const TICK_MS = 5;
const STALL_MS = 250;
const TIMEOUT_MS = 15_000;

const plan = JSON.parse(process.argv[2] ?? '') as LoadPlan; // What `startLoad` wrote.
const agent = new Agent({ keepAlive: true, maxSockets: 512 });
const journal = createWriteStream(plan.journal, { flags: 'a' });
const totals = { sent: 0, failed: 0, stallsMs: 0 };
const pending = new Set<Promise<void>>();

/** Which client asks which service: all pairs in turn. */
function pairOf(number: number) {
  const client = plan.clients[number % plan.clients.length] ?? { name: '', port: 0 };
  const service = plan.services[Math.floor(number / plan.clients.length) % plan.services.length] ?? '';
  return { client, service };
}

function send(number: number): Promise<void> {
  const { client, service } = pairOf(number);
  const authority = `${service}:${plan.servicePort}`;
  const sentMs = Date.now();
  return new Promise((resolve) => {
    const fail = (status: number, error: string) => {
      const failure: Failure = { number, sentMs, endedMs: Date.now(), client: client.name, service, status, error };
      totals.failed += 1;
      journal.write(`${JSON.stringify(failure)}\n`);
      resolve();
    };
    const headers = { host: authority, 'x-chaos-request': String(number) };
    const path = `http://${authority}/`;
    const call = request(
      { host: '127.0.0.1', port: client.port, path, agent, headers, timeout: TIMEOUT_MS },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (body += chunk));
        response.once('error', (error) => fail(response.statusCode ?? 0, error.message));
        response.once('end', () => {
          if (response.statusCode === 200 && body.startsWith(service)) resolve();
          else fail(response.statusCode ?? 0, body.slice(0, 200));
        });
      },
    );
    call.once('timeout', () => call.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)));
    call.once('error', (error) => fail(0, error.message));
    call.end();
  });
}

const startedMs = performance.now();
let lastMs = startedMs;
const ticker = setInterval(() => {
  const nowMs = performance.now();
  if (nowMs - lastMs - TICK_MS > STALL_MS) totals.stallsMs += Math.round(nowMs - lastMs);
  lastMs = nowMs;
  const due = ((nowMs - startedMs) / 1_000) * plan.requestsPerSecond;
  while (totals.sent < due) {
    const one = send(totals.sent++);
    pending.add(one);
    void one.then(() => pending.delete(one));
  }
}, TICK_MS);

process.once('SIGTERM', async () => {
  clearInterval(ticker);
  await Promise.all(pending);
  agent.destroy();
  const last: LoadTotals = totals;
  journal.end(() => process.stdout.write(`${JSON.stringify(last)}\n`));
});
