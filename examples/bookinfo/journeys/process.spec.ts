import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { openStandIn, textOf } from './shop.ts';

interface Started {
  readonly child: ChildProcess;
  /** The first line it says, on stdout or stderr. */
  readonly line: string;
}

async function run(entry: string, args: readonly string[], env: Record<string, string> = {}): Promise<Started> {
  const path = new URL(`../src/${entry}.ts`, import.meta.url).pathname;
  const child = spawn(process.execPath, [path, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const firstLine = async (stream: Readable): Promise<string> => {
    const [line] = await once(createInterface(stream), 'line');
    return String(line);
  };
  return { child, line: await Promise.race([firstLine(child.stdout), firstLine(child.stderr)]) };
}

function urlIn(line: string): string {
  return /http:[^"]+/.exec(line)?.[0] ?? `no URL in ${line}`;
}

test.each(['productpage', 'details', 'reviews', 'ratings'])('%s starts by its entry file', async (entry) => {
  const { line } = await run(entry, ['0']);
  expect((await fetch(`${urlIn(line)}/health`)).status).toBe(200);
});

test('a port in use is one message and exit code 1', async () => {
  const taken = new URL((await openStandIn(() => {})).url).port;
  const { child, line } = await run('details', [], { PORT: taken });
  expect(line).toBe(`details: port ${taken} on 127.0.0.1 is in use; give another as the first argument or in $PORT`);
  expect(await once(child, 'exit')).toEqual([1, null]);
});

test('what is not a port is exit code 2', async () => {
  const { child, line } = await run('details', ['http']);
  expect(line).toBe('details: "http" is not a port; give a number from 0 to 65535');
  expect(await once(child, 'exit')).toEqual([2, null]);
});

test('SIGTERM lets the request in flight finish, then exits 0', async () => {
  let askedRatings = (): void => {};
  const asked = new Promise<void>((resolve) => (askedRatings = resolve));
  let answer = (): void => {};
  const ratings = await openStandIn((_request, response) => {
    answer = () => response.end('{"ratings":{"Reviewer1":2,"Reviewer2":3}}');
    askedRatings();
  });
  const { port } = new URL(ratings.url);
  const env = { SERVICE_VERSION: 'v3', RATINGS_HOSTNAME: '127.0.0.1', RATINGS_SERVICE_PORT: port };
  const { child, line } = await run('reviews', ['0'], env);

  const page = fetch(`${urlIn(line)}/reviews/0`);
  await asked;
  child.kill('SIGTERM');
  // It has seen the signal once it takes no more connections.
  while (await fetch(`${urlIn(line)}/health`).then(Boolean, () => false));
  answer();
  expect(await (await page).text()).toContain('"stars":2');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('calls go through HTTP_PROXY in absolute form, by names that no DNS knows', async () => {
  const proxy = await openStandIn((_request, response) => {
    response.end('{"ratings":{"Reviewer1":1,"Reviewer2":1}}');
  });
  const env = { SERVICE_VERSION: 'v2', NODE_USE_ENV_PROXY: '1', HTTP_PROXY: proxy.url };
  const { line } = await run('reviews', ['0'], env);
  expect(await textOf(`${urlIn(line)}/reviews/0`)).toContain('"stars":1');
  expect(proxy.requests.map(({ method, url }) => `${method} ${url}`)).toEqual(['GET http://ratings:9080/ratings/0']);
  expect(proxy.requests[0]?.headers.host).toBe('ratings:9080');
});

test('HTTP_PROXY alone changes nothing', async () => {
  const proxy = await openStandIn((_request, response) => response.end('{"ratings":{}}'));
  const ratings = await openStandIn((_request, response) => response.end('{"ratings":{"Reviewer1":4}}'));
  const { port } = new URL(ratings.url);
  const neighbour = { RATINGS_HOSTNAME: '127.0.0.1', RATINGS_SERVICE_PORT: port };
  const { line } = await run('reviews', ['0'], { SERVICE_VERSION: 'v2', HTTP_PROXY: proxy.url, ...neighbour });
  expect(await textOf(`${urlIn(line)}/reviews/0`)).toContain('"stars":4');
  expect(proxy.requests).toHaveLength(0);
});
