import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { withPeer } from '@flotilla/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { bootstrapYaml } from './bootstrap.ts';
import { REQUESTS, type ScenarioRequest, STATISTICS } from './scenario.ts';
import { fetchText, startEnvoy, startOurs, type Subject } from './subjects.ts';
import { startUpstreams } from './upstreams.ts';

interface Seen {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
}

interface Run {
  readonly replies: ReadonlyMap<string, Seen | string>;
  readonly split: number;
  readonly log: ReadonlyMap<string, string>;
  readonly statistics: Readonly<Record<string, number>>;
  readonly tcp: readonly string[];
}

const SPLIT_REQUESTS = 400;

withPeer('envoy', (program) => {
  describe('our proxy and Envoy, started from the same file', () => {
    let ours: Run;
    let envoys: Run;

    beforeAll(async () => {
      const folder = await mkdtemp(join(tmpdir(), 'flotilla-same-'));
      try {
        envoys = await run(folder, 'envoy', (file) => startEnvoy(program, file, join(folder, 'admin')));
        ours = await run(folder, 'ours', startOurs);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
    it.each(REQUESTS.map(({ name }) => name))('answer the same: %s', (name) => {
      expect(ours.replies.get(name)).toEqual(envoys.replies.get(name));
    });

    it.each(REQUESTS.map(({ name }) => name))('log the same: %s', (name) => {
      expect(ours.log.get(name)).toBe(envoys.log.get(name));
    });

    it('count the same', () => {
      expect(ours.statistics).toEqual(envoys.statistics);
    });

    it('split by weight', () => {
      // Four standard deviations of a fair 25 % of the requests.
      const tolerance = 4 * Math.sqrt(SPLIT_REQUESTS * 0.25 * 0.75);
      expect(Math.abs(envoys.split - SPLIT_REQUESTS * 0.25)).toBeLessThan(tolerance);
      expect(Math.abs(ours.split - SPLIT_REQUESTS * 0.25)).toBeLessThan(tolerance);
    });

    it('pass TCP on, half-close included, and end it when nobody is there', () => {
      expect(ours.tcp).toEqual(envoys.tcp);
      expect(ours.tcp).toEqual(['hello', '']);
    });
  });
});

async function run(folder: string, name: string, start: (file: string) => Promise<Subject>): Promise<Run> {
  const upstreams = await startUpstreams();
  const accessLog = join(folder, `${name}.log`);
  const file = join(folder, `${name}.yaml`);
  await writeFile(file, bootstrapYaml({ ...upstreams, accessLog }));
  const subject = await start(file);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    const port = subject.ports.get('http') ?? 0;
    const replies = new Map<string, Seen | string>();
    for (const request of REQUESTS) replies.set(request.name, await send(port, agent, request));
    const log = await linesOf(accessLog, REQUESTS.length);
    const statistics = await statisticsOf(subject.admin);
    let split = 0;
    for (let index = 0; index < SPLIT_REQUESTS; index++) {
      const reply = await send(port, agent, { name: `split ${index}`, path: '/weights/split' });
      if (typeof reply !== 'string' && reply.headers.includes('x-from: green')) split += 1;
    }
    const tcp = [
      await exchange(subject.ports.get('tcp') ?? 0, 'hello'),
      await exchange(subject.ports.get('tcp-dead') ?? 0, 'hello'),
    ];
    return { replies, split, log, statistics, tcp };
  } finally {
    agent.destroy();
    await subject.close();
    await upstreams.close();
  }
}

function send(port: number, agent: Agent, scenario: ScenarioRequest): Promise<Seen | string> {
  const { method = 'GET', path, host, headers = {}, body, isChunked = false, name } = scenario;
  return new Promise((resolve) => {
    const request = httpRequest({
      host: '127.0.0.1',
      port,
      agent,
      method,
      path,
      setHost: false,
      headers: {
        host: host ?? `127.0.0.1:${port}`,
        'x-case': name,
        ...headers,
        ...(body === undefined || isChunked ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
        ...(isChunked ? { 'transfer-encoding': 'chunked' } : {}),
      },
    });
    request.on('error', (error) => resolve(`failed: ${error.message}`));
    request.on('response', (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('error', (error) => resolve(`broken: ${error.message}`));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: normalised(response.rawHeaders, port),
          body: text.replaceAll(String(port), '<port>'),
        }),
      );
    });
    if (isChunked && body !== undefined) {
      request.write(body.slice(0, 4));
      request.end(body.slice(4));
    } else request.end(body);
  });
}

/** Sorted, without what must differ: dates, durations, ids, the proxy's port. */
function normalised(raw: readonly string[], port: number): string[] {
  const fields: string[] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const field = raw[index] ?? '';
    let value = (raw[index + 1] ?? '').replaceAll(String(port), '<port>');
    if (field === 'date') value = '<date>';
    if (field === 'x-envoy-upstream-service-time') value = '<ms>';
    fields.push(`${field}: ${value}`);
  }
  return fields.sort();
}

/** Access-log lines by the request's name, when all of them are written. */
async function linesOf(file: string, count: number): Promise<ReadonlyMap<string, string>> {
  for (let tries = 0; ; tries++) {
    const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
    if (lines.length >= count || tries > 150) {
      return new Map(
        lines.map((line) => [/"(.*?)"/.exec(line)?.[1] ?? '', line.replace(/ 127\.0\.0\.1:\d+$/, ' <proxy>')]),
      );
    }
    await delay(100); // Envoy writes its log once a second or so
  }
}

async function statisticsOf(admin: number): Promise<Readonly<Record<string, number>>> {
  const lines = (await fetchText(admin, '/stats')).split('\n').map((line) => line.split(': '));
  const values = new Map(lines.map(([name = '', value = '']) => [name, Number(value)]));
  return Object.fromEntries(STATISTICS.map((name) => [name, values.get(name) ?? 0]));
}

/** Sends text, half-closes, and gives back all that came until the other side closed. */
async function exchange(port: number, text: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => undefined);
  socket.end(text);
  let received = '';
  socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.once('end', () => socket.destroy());
  await ended;
  return received;
}
