import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import http2, { type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withPeer } from '@flotilla/testing';
import { describe, expect, it } from 'vitest';
import { httpListener, openWorld, route } from './world.ts';

withPeer('h2spec', (program) => {
  describe('h2spec, generic and http2', () => {
    it('fails nowhere but where node:http2 by itself does', async () => {
      const [ours, nodes] = await Promise.all([
        failuresOfOurs(program, ['generic', 'http2'], 1),
        failuresOfNode(program, ['generic', 'http2'], 1),
      ]);
      expect(ours.run).toBeGreaterThan(130);
      console.log(`h2spec: ${ours.run} tests; node:http2 fails: ${[...nodes.failed].join('; ')}`);
      const own = [...ours.failed].filter((name) => !nodes.failed.has(name));
      // The suite judges by time-outs: what fails beyond that is asked again, alone and with more time.
      const sections = [...new Set(own.map((name) => name.slice(0, name.indexOf(':'))))];
      const again = own.length === 0 ? own : [...(await failuresOfOurs(program, sections, 3)).failed];
      expect(again.filter((name) => own.includes(name))).toEqual([]);
    }, 120_000);
  });
});

interface Outcome {
  readonly run: number;
  readonly failed: ReadonlySet<string>;
}

async function failuresOfOurs(program: string, sections: readonly string[], timeoutS: number): Promise<Outcome> {
  const world = openWorld();
  const upstream = createServer((request, response) => {
    request.resume().on('error', () => undefined);
    request.on('end', () => response.end('hello'));
  });
  try {
    world.cluster('up', [await listen(upstream)]);
    const manager = { codecType: 'HTTP2', http2ProtocolOptions: { maxConcurrentStreams: 100 } };
    const port = await world.listen(httpListener([route('/', { cluster: 'up' })], manager));
    return await run(program, port, sections, timeoutS);
  } finally {
    await world.close();
    upstream.closeAllConnections();
    upstream.close();
  }
}

async function failuresOfNode(program: string, sections: readonly string[], timeoutS: number): Promise<Outcome> {
  const server = http2.createServer({ settings: { maxConcurrentStreams: 100 } });
  server.on('sessionError', () => undefined);
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => undefined).resume();
    stream.on('end', () => {
      if (stream.destroyed || stream.closed) return;
      stream.respond({ ':status': 200 });
      stream.end('hello');
    });
  });
  try {
    return await run(program, await listen(server), sections, timeoutS);
  } finally {
    server.close();
  }
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port; // a listening TCP server
}

/** It ends with an exit code when something fails, and reports in JUnit's form. */
async function run(program: string, port: number, sections: readonly string[], timeoutS: number): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'flotilla-h2spec-'));
  const report = join(folder, 'report.xml');
  const args = ['-h', '127.0.0.1', '-p', String(port), '-o', String(timeoutS), '-j', report, ...sections];
  try {
    await new Promise<void>((resolve) => execFile(program, args, { timeout: 100_000 }, () => resolve()));
    const cases = (await readFile(report, 'utf8')).split('<testcase ').slice(1);
    const failed = cases.filter((text) => text.includes('<error'));
    return { run: cases.length, failed: new Set(failed.map(nameOf)) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function nameOf(text: string): string {
  const [, section = ''] = /package="([^"]*)"/.exec(text) ?? [];
  const [, name = ''] = /classname="([^"]*)"/.exec(text) ?? [];
  return `${section}: ${name}`;
}
