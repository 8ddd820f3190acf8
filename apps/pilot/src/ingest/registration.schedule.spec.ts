import { expect, test } from 'vitest';
import { FakeClock, type Random, seededRandom } from '@flotilla/runtime';
import type { ProxyNode } from '@flotilla/translate';
import { FakeGalley } from '../testing/fake-galley.ts';
import { proxyNode, type Registrar, settle, startRegistrar } from '../testing/registrar.ts';

const SETTINGS = { graceMs: 1_000, orphanGraceMs: 15_000 };
const STEPS = 120;

interface Proxy {
  readonly node: ProxyNode;
  readonly entry: string;
  /** Pilots that hold a stream of it, the one that it really uses last; the others are half-open. */
  holders: Registrar[];
  /** Its pilot died under it, and it is about to look for another. */
  isHomeless: boolean;
  lastSeenMs: number;
}

/** Some pilots, some proxies and a galley that takes its time, driven by chance. */
class Schedule {
  readonly galley = new FakeGalley();
  readonly clock = new FakeClock();
  readonly #random: Random;
  readonly #present = new Set<string>();
  readonly #pilots: Registrar[] = [];
  readonly #proxies: Proxy[] = ['a', 'b', 'c'].map((workload) => ({
    node: proxyNode({ workload }),
    entry: `default/${workload}-127-0-0-1`,
    holders: [],
    isHomeless: false,
    lastSeenMs: Number.NEGATIVE_INFINITY,
  }));
  readonly #story: string[] = [];
  readonly violations: string[] = [];
  #nextPilot = 1;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    let seen = 0;
    void this.galley.bus.subscribe(() => {
      for (const name of this.galley.removed.slice(seen)) this.#judge(name);
      seen = this.galley.removed.length;
    });
    this.galley.onWrite = () => settle(this.#below(8));
  }

  async run(): Promise<void> {
    await this.#startPilot();
    await this.#startPilot();
    for (let step = 0; step < STEPS; step++) await this.#step();
    for (const proxy of this.#proxies) if (proxy.isHomeless) this.#connect(proxy);
    await this.#pass(40_000);
  }

  async close(): Promise<void> {
    for (const pilot of this.#pilots) await pilot.kill();
  }

  /** Entries and whether their controllers hold a stream: what is there in the end, and what should be. */
  outcome(): { readonly is: readonly string[]; readonly expected: readonly string[] } {
    const expected = this.#proxies.filter(({ holders }) => holders.length > 0).map(({ entry }) => `${entry} held`);
    const is = this.galley.names('WorkloadEntry').map((name) => {
      const proxy = this.#proxies.find(({ entry }) => entry === name);
      const isHeld = proxy?.holders.some(({ id }) => id === this.galley.controller(name)) === true;
      return `${name} ${isHeld ? 'held' : `controlled by ${this.galley.controller(name)}`}`;
    });
    return { is, expected };
  }

  #judge(name: string): void {
    const proxy = this.#proxies.find(({ entry }) => entry === name);
    if (proxy === undefined) return;
    const isConnected = proxy.holders.length > 0 || proxy.isHomeless;
    if (!isConnected && this.clock.monotonicMs() - proxy.lastSeenMs >= SETTINGS.graceMs) return;
    this.violations.push(`${name} was removed after: ${this.#story.slice(-12).join('; ')}`);
  }

  async #step(): Promise<void> {
    const proxy = this.#proxies[this.#below(this.#proxies.length)];
    const dice = this.#below(20);
    if (proxy === undefined) return;
    if (dice < 8) await this.#move(proxy);
    else if (dice < 10) this.#leave(proxy);
    else if (dice < 11) await this.#kill();
    else if (dice < 12) await this.#startPilot();
    else await this.#pass(this.#below(2_000));
    await settle(this.#below(12));
  }

  async #move(proxy: Proxy): Promise<void> {
    const isClean = this.#below(2) === 0;
    // A removal that is on its way already cannot be called back.
    const isAway = proxy.holders.length === 0;
    if (isClean) this.#drop(proxy);
    // Where both streams are held, only the order of writes tells which came later.
    if (!isClean || isAway) await settle();
    this.#connect(proxy);
    if (isClean) return;
    await settle(this.#below(30));
    if (this.#below(2) === 0) this.#dropOlder(proxy);
  }

  #connect(proxy: Proxy): void {
    const pilot = this.#pilots[this.#below(this.#pilots.length)];
    if (pilot === undefined) return;
    this.#tell(`${proxy.node.workload} to ${pilot.id}`);
    proxy.holders.push(pilot);
    proxy.isHomeless = false;
    pilot.registration.connected(proxy.node);
  }

  #leave(proxy: Proxy): void {
    this.#tell(`${proxy.node.workload} leaves`);
    this.#drop(proxy);
    proxy.isHomeless = false;
  }

  #dropOlder(proxy: Proxy): void {
    for (const pilot of proxy.holders.splice(0, proxy.holders.length - 1)) pilot.registration.disconnected(proxy.node);
  }

  #drop(proxy: Proxy): void {
    if (proxy.holders.length > 0) proxy.lastSeenMs = this.clock.monotonicMs();
    this.#dropOlder(proxy);
    proxy.holders.pop()?.registration.disconnected(proxy.node);
  }

  async #startPilot(): Promise<void> {
    if (this.#pilots.length >= 3) return;
    const id = `pilot-${this.#nextPilot++}`;
    this.#tell(`${id} starts`);
    const { galley, clock } = this;
    this.#pilots.push(await startRegistrar({ id, galley, clock, present: this.#present, settings: SETTINGS }));
  }

  async #kill(): Promise<void> {
    if (this.#pilots.length < 2) return;
    const [dead] = this.#pilots.splice(this.#below(this.#pilots.length), 1);
    if (dead === undefined) return;
    // One that dies before it wrote anything cannot have taken an entry over: the usual grace holds.
    await settle();
    this.#tell(`${dead.id} dies`);
    for (const proxy of this.#proxies) {
      const wasOnIt = proxy.holders.at(-1) === dead;
      proxy.holders = proxy.holders.filter((holder) => holder !== dead);
      if (!wasOnIt) continue;
      // What is half-open elsewhere ends before it could be taken for the proxy itself.
      for (const pilot of proxy.holders.splice(0)) pilot.registration.disconnected(proxy.node);
      proxy.isHomeless = true;
    }
    await dead.kill();
    await this.#pass(this.#below(3_000));
    for (const proxy of this.#proxies) if (proxy.isHomeless) this.#connect(proxy);
  }

  async #pass(ms: number): Promise<void> {
    this.#tell(`${ms} ms`);
    for (let passed = 0; passed < ms; passed += 250) {
      this.clock.advance(Math.min(250, ms - passed));
      await settle(1 + this.#below(4));
    }
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #tell(what: string): void {
    this.#story.push(what);
  }
}

test.each(Array.from({ length: 12 }, (_, index) => index + 1))(
  'however proxies and pilots come and go, an entry is there as long as its proxy (seed %d)',
  { timeout: 60_000 },
  async (seed) => {
    const schedule = new Schedule(seed);
    try {
      await schedule.run();
      expect(schedule.violations).toEqual([]);
      const { is, expected } = schedule.outcome();
      expect(is).toEqual(expected);
    } finally {
      await schedule.close();
    }
  },
);
