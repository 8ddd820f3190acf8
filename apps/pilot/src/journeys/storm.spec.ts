import { expect, test } from 'vitest';
import { type Clock, FakeClock } from '@flotilla/runtime';
import { meshOf, proxyOf, sidecarNode } from '@flotilla/translate/testing';
import { Sessions } from '../serve/sessions.ts';
import { openSessions, untilQuiet } from '../testing/in-process-proxy.ts';

const PROXIES = 2_000;
const OPENING = 64;
const SERVICES = 8;

const service = (index: number) => `
apiVersion: v1
kind: Service
metadata: { name: service-${index}, namespace: ns-${index % 5} }
spec: { selector: { app: service-${index} }, ports: [{ name: http, port: 80 }] }`;

/** A clock that goes on by a millisecond whenever it is looked at: work is measured by how often that is. */
function tickingClock(): Clock & { readonly fake: FakeClock } {
  const fake = new FakeClock();
  return {
    fake,
    now: () => fake.now(),
    monotonicMs() {
      fake.sleep(1);
      return fake.monotonicMs();
    },
    after: (delayMs, fire) => fake.after(delayMs, fire),
  };
}

test(
  '2,000 proxies that reconnect at once all get everything, a few at a time, in turns that are never long',
  { timeout: 60_000 },
  async () => {
    const clock = tickingClock();
    const sessions = new Sessions({ clock, openingStreams: OPENING });
    const { connect } = openSessions(sessions, clock);
    const begun = new Set<number>();
    const served = new Set<number>();
    let mostOpening = 0;
    const proxies = Array.from({ length: PROXIES }, (_, index) => {
      const node = proxyOf(sidecarNode({ workload: `w-${index}`, namespace: `ns-${index % 5}` }));
      return connect(node, (type) => {
        begun.add(index);
        if (type === 'RDS') served.add(index);
        mostOpening = Math.max(mostOpening, begun.size - served.size);
      });
    });
    sessions.push(
      meshOf(Array.from({ length: SERVICES }, (_, index) => service(index)).join('\n---')),
      () => undefined,
    );

    const turns: number[] = [];
    let before = clock.fake.monotonicMs();
    const watch = () => {
      turns.push(clock.fake.monotonicMs() - before);
      before = clock.fake.monotonicMs();
      watching = setImmediate(watch);
    };
    let watching = setImmediate(watch);
    await untilQuiet(proxies, 100_000);
    clearImmediate(watching);

    expect(
      proxies.every(({ held }) => held.CDS.size > SERVICES && held.EDS.size === SERVICES && held.RDS.has('80')),
    ).toBe(true);
    // A turn is 10 ms; what is being made when it ends is finished, and one look more tells that it has ended.
    expect(Math.max(...turns)).toBeLessThanOrEqual(20);
    // The one that settles lets the next in before this test hears of its last response.
    expect(mostOpening).toBeLessThanOrEqual(OPENING * 2);
    for (const proxy of proxies) proxy.close();
  },
);

test('a stream that does not answer keeps others waiting for 5 s at most', async () => {
  const clock = new FakeClock();
  const sessions = new Sessions({ clock, openingStreams: 1 });
  const { connect } = openSessions(sessions, clock);
  const silent = {
    node: proxyOf(sidecarNode({ workload: 'silent' })),
    isSettled: false,
    update: () => undefined,
    work: () => true,
  };
  sessions.add(silent as unknown as Parameters<typeof sessions.add>[0]); // As far as it is asked.
  const proxy = connect(proxyOf(sidecarNode({})));
  sessions.push(meshOf(service(0)), () => undefined);
  await new Promise((resolve) => setImmediate(resolve));
  expect(proxy.held.CDS.size).toBe(0);
  clock.advance(5_000);
  await untilQuiet([proxy]);
  expect(proxy.held.CDS.size).toBeGreaterThan(0);
  proxy.close();
});
