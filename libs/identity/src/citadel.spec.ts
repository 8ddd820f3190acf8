import { durationMs } from '@bufbuild/protobuf/wkt';
import { silentLogger } from '@flotilla/observe';
import { createInMemoryTransport } from '@flotilla/rpc';
import type { RpcTransportOptions } from '@flotilla/rpc/client';
import { type Clock, FakeClock, FlotillaError } from '@flotilla/runtime';
import { formatSpiffeId, type IdentitySource, type SpiffeId } from '@flotilla/spiffe';
import { createTestAuthority } from '@flotilla/spiffe/testing';
import { CitadelService } from '@flotilla/wire/flotilla/citadel/v1/citadel_pb.js';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openCitadelIdentity, type CitadelIdentityOptions } from './citadel.ts';

const id: SpiffeId = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'reviews' };
const HOUR = 3_600_000;
const authority = await createTestAuthority();

const opened: IdentitySource[] = [];
afterEach(() => {
  for (const identity of opened.splice(0)) identity.close();
});

/** A citadel in memory that notes how each request proves who it is, and fails when told to. */
function world(ttlMs = HOUR) {
  const clock = new FakeClock(Date.parse('2026-05-01T00:00:00Z'));
  const requests: {
    readonly proof: 'token' | 'certificate';
    readonly serial: string | null;
    readonly csrPem: string;
  }[] = [];
  const closed = { count: 0 };
  const citadel: { failure: FlotillaError | null; grantedId: SpiffeId; clock: Clock } = {
    failure: null,
    grantedId: id,
    clock,
  };
  const connections: RpcTransportOptions[] = [];
  const createTransport = (options: RpcTransportOptions) => {
    connections.push(options);
    const transport = createInMemoryTransport((router) => {
      router.service(CitadelService, {
        async issueCertificate({ csrPem, ttl }) {
          const serial = options.tls?.identity?.current()?.serial ?? null;
          requests.push({ proof: serial === null ? 'token' : 'certificate', serial, csrPem });
          if (citadel.failure !== null) throw citadel.failure;
          const granted = { nowMs: citadel.clock.now(), ttlMs: ttl === undefined ? HOUR : durationMs(ttl) };
          return {
            chainPem: [await authority.sign(csrPem, citadel.grantedId, granted)],
            rootPem: [authority.rootPem],
          };
        },
      });
    });
    return { ...transport, close: () => void (closed.count += 1) };
  };
  const open = async (options: Partial<CitadelIdentityOptions> = {}) => {
    const identity = await openCitadelIdentity({
      ca: { url: 'https://citadel:8060', rootPem: 'root for the start' },
      token: 'the token',
      id,
      ttlMs,
      clock,
      random: () => 0.5,
      logger: silentLogger,
      createTransport,
      ...options,
    });
    opened.push(identity);
    return identity;
  };
  const renewed = (identity: IdentitySource) =>
    new Promise<void>((resolve) => {
      const stop = identity.subscribe(() => {
        stop();
        resolve();
      });
    });
  /** Requests are answered on the event loop: wait until as many were made and the next timer is set. */
  const settled = (count: number) =>
    vi.waitFor(() => {
      expect(requests).toHaveLength(count);
      expect(clock.pendingCount).toBe(1);
    });
  return { clock, requests, connections, citadel, closed, open, renewed, settled };
}

/** The clock of a machine that can sleep: the wall clock goes on, timers stand still. */
function sleepingClock(clock: FakeClock): Clock & { sleep(ms: number): void } {
  let sleptMs = 0;
  return {
    now: () => clock.now() + sleptMs,
    monotonicMs: () => clock.monotonicMs(),
    after: clock.after.bind(clock),
    sleep: (ms) => void (sleptMs += ms),
  };
}

describe('openCitadelIdentity', () => {
  it('gets the first certificate with the token, from a server that it verifies', async () => {
    const { open, requests, connections, closed } = world();
    const identity = await open();
    expect(identity.current()).toMatchObject({ spiffeId: id, rootsPem: authority.rootPem });
    expect(requests.map((request) => request.proof)).toEqual(['token']);
    expect(connections[0]).toMatchObject({
      token: 'the token',
      tls: { rootsPem: 'root for the start', serverSpiffeId: 'spiffe://cluster.local/ns/istio-system/sa/istiod' },
    });
    expect(closed.count).toBe(1);
  });

  it('renews at half-life with the old certificate and a new key, and tells subscribers', async () => {
    const { open, clock, requests, connections, renewed } = world();
    const identity = await open();
    const first = identity.current();
    clock.advance(HOUR / 2 - 1);
    expect(requests).toHaveLength(1);
    const renewal = renewed(identity);
    clock.advance(1);
    await renewal;
    expect(requests[1]).toMatchObject({ proof: 'certificate', serial: first?.serial });
    expect(connections[1]?.token).toBeUndefined();
    expect(identity.current()?.serial).not.toBe(first?.serial);
    expect(identity.current()?.privateKeyPem).not.toBe(first?.privateKeyPem);
    expect(requests[1]?.csrPem).not.toBe(requests[0]?.csrPem);
  });

  it.each([
    [0, 0.4],
    [0.999, 0.6],
  ])('spreads renewals: chance %d renews at %d of the lifetime', async (chance, part) => {
    const { open, clock, requests, settled } = world();
    await open({ random: () => chance });
    clock.advance(HOUR * part - 10_000);
    expect(requests).toHaveLength(1);
    clock.advance(10_000);
    await settled(2);
  });

  it('keeps the old certificate and retries with back-off while citadel is away', async () => {
    const { open, clock, requests, citadel, renewed, settled } = world();
    const identity = await open();
    const first = identity.current();
    citadel.failure = new FlotillaError('unavailable', 'away');
    clock.advance(HOUR / 2);
    for (let attempt = 2; attempt < 12; attempt += 1) {
      await settled(attempt);
      expect(identity.current()).toBe(first);
      clock.advance(30_000);
    }
    await settled(12);
    expect(requests.length).toBeLessThan(20);
    citadel.failure = null;
    const renewal = renewed(identity);
    clock.advance(30_000);
    await renewal;
    expect(identity.current()?.serial).not.toBe(first?.serial);
  });

  it('goes back to the token when the old certificate has expired, as after a long sleep', async () => {
    const { open, clock, citadel, requests, settled } = world();
    const sleeping = sleepingClock(clock);
    citadel.clock = sleeping;
    await open({ clock: sleeping });
    sleeping.sleep(HOUR);
    clock.advance(30_000);
    await settled(2);
    expect(requests.map((request) => request.proof)).toEqual(['token', 'token']);
  });

  it('tells when it has expired and citadel refuses another one', async () => {
    const { open, clock, citadel } = world();
    const lost: string[] = [];
    await open({ onLost: ({ code }) => lost.push(code) });
    citadel.failure = new FlotillaError('unauthenticated', 'used already');
    clock.advance(HOUR * 0.75);
    await vi.waitFor(() => expect(clock.pendingCount).toBe(1));
    expect(lost).toEqual([]);
    clock.advance(HOUR);
    await vi.waitFor(() => expect(lost).toContain('unauthenticated'));
  });

  it('notices within half a minute that the wall clock jumped while timers stood still', async () => {
    const { open, clock, citadel, requests, settled } = world();
    const sleeping = sleepingClock(clock);
    citadel.clock = sleeping;
    await open({ clock: sleeping });
    sleeping.sleep(HOUR * 0.75);
    clock.advance(30_000);
    await settled(2);
    expect(requests[1]?.proof).toBe('certificate');
  });

  it('tries the token when citadel does not accept the certificate', async () => {
    const { open, clock, requests, citadel, settled } = world();
    await open();
    citadel.failure = new FlotillaError('unauthenticated', 'not any more');
    clock.advance(HOUR / 2);
    await settled(3);
    expect(requests.map((request) => request.proof)).toEqual(['token', 'certificate', 'token']);
  });

  it('waits for a citadel that is not there yet', async () => {
    const { open, clock, requests, citadel } = world();
    citadel.failure = new FlotillaError('unavailable', 'not there');
    const identity = open();
    await vi.waitFor(() => expect([requests.length, clock.pendingCount]).toEqual([1, 1]));
    citadel.failure = null;
    clock.advance(1_000);
    expect((await identity).current()?.spiffeId).toEqual(id);
  });

  it('tries a token with one key until it gave a certificate, whose answer may have been lost', async () => {
    const { open, clock, requests, citadel } = world();
    citadel.failure = new FlotillaError('unavailable', 'no answer');
    const identity = open();
    await vi.waitFor(() => expect([requests.length, clock.pendingCount]).toEqual([1, 1]));
    citadel.failure = null;
    clock.advance(1_000);
    await identity;
    expect(requests.map(({ csrPem }) => csrPem)).toEqual([requests[0]?.csrPem, requests[0]?.csrPem]);
  });

  it('stops waiting when told to', async () => {
    const { open, clock, citadel } = world();
    citadel.failure = new FlotillaError('unavailable', 'not there');
    const abort = new AbortController();
    const identity = open({ signal: abort.signal });
    await vi.waitFor(() => expect(clock.pendingCount).toBe(1));
    abort.abort();
    await expect(identity).rejects.toMatchObject({ code: 'unavailable' });
    expect(clock.pendingCount).toBe(0);
  });

  it.each(['unauthenticated', 'forbidden', 'invalid'] as const)(
    'gives up at once when citadel says %s',
    async (code) => {
      const { open, citadel } = world();
      citadel.failure = new FlotillaError(code, 'no');
      await expect(open()).rejects.toMatchObject({ code, message: `no certificate for ${formatSpiffeId(id)}: no` });
    },
  );

  it('refuses a certificate for somebody else, and a start without a token', async () => {
    const { open, citadel } = world();
    citadel.grantedId = { ...id, serviceAccount: 'ratings' };
    await expect(open()).rejects.toThrow(/issued a certificate for .*ratings/);
    await expect(open({ token: () => null })).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('does not use a certificate that has expired by the clock here', async () => {
    const { open, clock } = world();
    const ahead = sleepingClock(clock);
    ahead.sleep(2 * HOUR);
    await expect(open({ clock: ahead })).rejects.toThrow(/expired by the clock of this machine/);
  });

  it('stops with close, and keeps the last certificate readable', async () => {
    const { open, clock, requests } = world();
    const identity = await open();
    identity.close();
    clock.advance(2 * HOUR);
    expect([requests.length, clock.pendingCount]).toEqual([1, 0]);
    expect(identity.current()?.spiffeId).toEqual(id);
  });
});
