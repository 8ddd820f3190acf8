import { FlotillaError } from '@flotilla/runtime';
import type { RpcServer } from '@flotilla/rpc/server';
import { SyncState } from '@flotilla/wire/flotilla/pilot/v1/pilot_pb.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectMesh, type MeshClient } from '../index.ts';
import { type PilotAnswer, pilotRoutes, proxyIn, TestControlPlane } from './control-plane.ts';

const { SYNCED, STALE, REFUSED, NOT_SENT } = SyncState;

let world: TestControlPlane;
let servers: RpcServer[];
let mesh: MeshClient;
/** What each pilot answers, call after call; the last answer stays. */
const scripts: PilotAnswer[][] = [[], []];

beforeAll(async () => {
  world = await TestControlPlane.create();
  const serve = (index: number) =>
    world.serve(
      pilotRoutes(() => {
        const script = scripts[index] ?? [];
        const answer = script.length > 1 ? script.shift() : script[0];
        if (answer === undefined) throw new FlotillaError('internal', 'the script has no answer');
        return answer();
      }),
      null,
    );
  servers = [await serve(0), await serve(1)];
  mesh = connectMesh({ api: servers[0]?.url ?? '', pilots: servers.map(({ url }) => url) });
});
afterAll(async () => {
  mesh.close();
  await world.close();
});

function script(first: readonly PilotAnswer[], second: readonly PilotAnswer[]): void {
  scripts[0] = [...first];
  scripts[1] = [...second];
}
const at =
  (version: bigint, ...proxies: ReturnType<typeof proxyIn>[]): PilotAnswer =>
  () => ({ version, proxies });

describe('waitForSync', () => {
  it('waits for every proxy of every pilot', async () => {
    script(
      [at(3n, proxyIn('a', STALE, 3n)), at(3n, proxyIn('a', SYNCED, 3n))],
      [at(2n, proxyIn('b', SYNCED, 2n)), at(3n, proxyIn('b', STALE, 3n)), at(3n, proxyIn('b', SYNCED, 3n))],
    );
    expect(await mesh.waitForSync(3n)).toBe(2);
    expect(scripts[1]).toHaveLength(1);
  });

  it('a proxy that wants nothing, and a pilot without proxies, hold nobody up', async () => {
    script([at(3n, proxyIn('a', NOT_SENT, 0n))], [at(4n)]);
    expect(await mesh.waitForSync(3n)).toBe(1);
  });

  it('says who refused what and why', async () => {
    script([at(3n, proxyIn('a', SYNCED, 3n))], [at(3n, proxyIn('b', REFUSED, 3n, 'no such filter'))]);
    await expect(mesh.waitForSync(3n)).rejects.toMatchObject({
      code: 'invalid',
      refusals: [{ workload: 'b.default', reason: 'no such filter' }],
    });
  });

  it('what was refused of an earlier version is no refusal of this one', async () => {
    script([at(3n, proxyIn('a', REFUSED, 2n, 'old')), at(3n, proxyIn('a', SYNCED, 3n))], [at(3n)]);
    expect(await mesh.waitForSync(3n)).toBe(1);
  });

  it('says at the end of time who is late', async () => {
    script([at(2n)], [at(3n, proxyIn('b', STALE, 3n), proxyIn('c', REFUSED, 2n, 'old reason'))]);
    const waiting = mesh.waitForSync(3n, { timeoutMs: 60 });
    await expect(waiting).rejects.toMatchObject({ code: 'unavailable' });
    await expect(waiting).rejects.toThrow(/has version 2; b.default has not answered; c.default refused .*old reason/);
  });

  it('can be given up', async () => {
    script([at(2n)], [at(2n)]);
    const giveUp = new AbortController();
    const waiting = mesh.waitForSync(3n, { signal: giveUp.signal });
    giveUp.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });
});
