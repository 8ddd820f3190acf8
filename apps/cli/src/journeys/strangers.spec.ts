import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Load } from './load.ts';
import { repository, TestMesh } from './mesh.ts';

let mesh: TestMesh;
let scratch: string;
beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'flotilla-strangers-'));
  mesh = await TestMesh.start(join(repository, 'examples/bookinfo/mesh.yaml'));
}, 120_000);
afterAll(async () => {
  await mesh?.stop();
  rmSync(scratch, { recursive: true, force: true });
});

const FIELDS = Array.from({ length: 20_000 }, (_, index) => `  field${index}: 1\n`).join('');
const ABUSE = JSON.stringify({
  documents: [
    { yaml: `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\nspec:\n${FIELDS}` },
  ],
  standalone: true,
});

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly ms: number;
}

async function send(path: string, body: string | null): Promise<Answer> {
  const startedMs = performance.now();
  const sent = request(new URL(path, mesh.summary.api), {
    method: body === null ? 'GET' : 'POST',
    headers: { 'content-type': 'application/json' },
  });
  sent.end(body ?? undefined);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, body: await text(response), ms: performance.now() - startedMs };
}

/** Asks again and again until told to stop, `parallel` at a time. */
async function flood(parallel: number, signal: AbortSignal, ask: () => Promise<Answer>): Promise<Answer[]> {
  const answers: Answer[] = [];
  const one = async (): Promise<void> => {
    while (!signal.aborted) answers.push(await ask());
  };
  await Promise.all(Array.from({ length: parallel }, one));
  return answers;
}

const route = (version: string): string =>
  `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: flooded}\nspec:\n  hosts: [flooded.example]\n  http:\n  - name: ${version}\n    directResponse: {status: 200}\n`;

it('a flood of checks by a stranger holds up neither requests nor health nor the delivery of configuration', async () => {
  const { hostname, port } = new URL(mesh.summary.ingress);
  const load = new Load({ host: hostname, port: Number(port), path: '/productpage', authority: hostname }, 20);
  const end = new AbortController();
  const abuse = flood(8, end.signal, () => send('/flotilla.galley.v1.GalleyService/Validate', ABUSE));
  const health = flood(1, end.signal, () => send('/healthz', null));
  const pushes: number[] = [];
  for (let count = 0; count < 3; count++) {
    const file = join(scratch, `${count}.yaml`);
    writeFileSync(file, route(`v${count}`));
    const startedMs = performance.now();
    const { code, stderr } = await mesh.run('apply', '--wait', '-f', file);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    pushes.push(Math.round(performance.now() - startedMs));
  }
  end.abort();
  const asked = await abuse;
  const healthMs = (await health).map(({ ms }) => ms);
  const { sent, failures } = await load.stop();
  const checked = asked.filter(({ status }) => status === 200);
  console.log(
    `${asked.length} checks by a stranger, ${checked.length} of them made; ${sent} requests, ${failures.length} failed; ` +
      `${healthMs.length} looks at /healthz, the slowest ${Math.round(Math.max(...healthMs))} ms; applied everywhere in ${pushes.join(', ')} ms`,
  );
  expect(failures).toEqual([]);
  expect(asked.length).toBeGreaterThan(0);
  for (const { body } of checked) expect(body.length).toBeLessThan(1 << 20);
  for (const { status, body } of asked) if (status !== 200) expect(body).toContain('resource_exhausted');
  expect(Math.max(...healthMs)).toBeLessThan(5_000);
}, 120_000);
