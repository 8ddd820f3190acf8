import type { Socket } from 'node:net';
import { proxyHeaderFor } from '../proxy-header.ts';
import type { Clock, Random, Timer } from '@flotilla/runtime';
import type { Counter, Gauge, StatsRegistry } from '../../base/stats.ts';
import { clusterStatPrefix } from '../cluster-stats.ts';
import { dial, type DialSettings } from '../dial.ts';
import type { Host } from '../host.ts';
import { probe, type ProbeResult } from './probes.ts';
import type { HealthCheckSettings } from './settings.ts';

export interface CheckerTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly stats: StatsRegistry;
  readonly dialing: DialSettings;
  /** The cluster has made a connection for a request. */
  readonly hasTraffic: () => boolean;
  /** A host's health changed. */
  readonly onChange: () => void;
  readonly onPassed: (host: Host) => void;
}

interface CheckStats {
  readonly attempt: Counter;
  readonly success: Counter;
  readonly failure: Counter;
  readonly networkFailure: Counter;
  readonly healthy: Gauge;
}

/** Checks the hosts of a cluster actively; until its first check is passed a host is not used. */
export class HealthChecker {
  readonly #settings: HealthCheckSettings;
  readonly #clusterName: string;
  readonly #tools: CheckerTools;
  readonly #stats: CheckStats;
  readonly #checks = new Map<Host, HostCheck>();
  #onFirstRound: (() => void)[] = [];

  constructor(settings: HealthCheckSettings, clusterName: string, statName: string, tools: CheckerTools) {
    const prefix = `${clusterStatPrefix(statName)}health_check.`;
    const { stats } = tools;
    this.#settings = settings;
    this.#clusterName = clusterName;
    this.#tools = tools;
    this.#stats = {
      attempt: stats.counter(`${prefix}attempt`),
      success: stats.counter(`${prefix}success`),
      failure: stats.counter(`${prefix}failure`),
      networkFailure: stats.counter(`${prefix}network_failure`),
      healthy: stats.gauge(`${prefix}healthy`),
    };
  }

  /** Begins to check hosts that are new, and stops for those that are gone. */
  follow(hosts: Iterable<Host>): void {
    const present = new Set(hosts);
    for (const [host, check] of this.#checks) {
      if (present.has(host)) continue;
      check.close();
      this.#checks.delete(host);
    }
    for (const host of present) {
      if (this.#checks.has(host) || host.check?.isDisabled === true) continue;
      host.failsActiveCheck = true;
      const check = new HostCheck(host, this.#settings, this.#clusterName, this.#tools, this.#stats, () =>
        this.#onResult(),
      );
      this.#checks.set(host, check);
      check.start();
    }
    this.#onResult();
  }

  /** Calls back when every host was checked once. */
  afterFirstRound(callback: () => void): void {
    this.#onFirstRound.push(callback);
    this.#onResult();
  }

  close(): void {
    for (const check of this.#checks.values()) check.close();
    this.#checks.clear();
    this.#onFirstRound = [];
  }

  #onResult(): void {
    this.#stats.healthy.value = [...this.#checks.keys()].filter((host) => !host.failsActiveCheck).length;
    for (const check of this.#checks.values()) if (!check.isKnown) return;
    for (const callback of this.#onFirstRound.splice(0)) callback();
  }
}

/** The checks of one host, one after another. */
class HostCheck {
  /** It was checked once. */
  isKnown = false;
  readonly #host: Host;
  readonly #settings: HealthCheckSettings;
  readonly #clusterName: string;
  readonly #tools: CheckerTools;
  readonly #stats: CheckStats;
  readonly #onResult: () => void;
  #timer: Timer | null = null;
  #dialing: { abort(): boolean } | null = null;
  #socket: Socket | null = null;
  #isRunning = false;
  #passes = 0;
  #failures = 0;

  constructor(
    host: Host,
    settings: HealthCheckSettings,
    clusterName: string,
    tools: CheckerTools,
    stats: CheckStats,
    onResult: () => void,
  ) {
    this.#host = host;
    this.#settings = settings;
    this.#clusterName = clusterName;
    this.#tools = tools;
    this.#stats = stats;
    this.#onResult = onResult;
  }

  start(): void {
    const { initialJitterMs } = this.#settings.intervals;
    if (initialJitterMs === 0) this.#check();
    else this.#timer = this.#tools.clock.after(initialJitterMs * this.#tools.random(), () => this.#check());
  }

  close(): void {
    this.#isRunning = false;
    this.#endCheck();
  }

  #check(): void {
    const { clock, dialing } = this.#tools;
    const { timeoutMs, probe: settings, port } = this.#settings;
    this.#isRunning = true;
    this.#stats.attempt.value += 1;
    this.#timer = clock.after(timeoutMs, () => this.#finish('network'));
    const host = this.#host;
    const own = host.check?.port ?? 0;
    const target = { host: host.host, port: own > 0 ? own : (port ?? host.port), path: host.path };
    const alpn = settings.kind === 'grpc' || (settings.kind === 'http' && settings.isHttp2) ? ['h2'] : [];
    const opening = { serverName: null, alpn, before: proxyHeaderFor(host.transport, null), reader: null };
    this.#dialing = dial(target, host.transport, opening, dialing, clock, {
      onReady: (socket) => {
        this.#dialing = null;
        this.#socket = socket;
        // Its end is told by what the probe hears.
        socket.on('error', () => undefined);
        const names = { host: host.check?.hostname ?? '', cluster: this.#clusterName };
        probe(socket, settings, names, timeoutMs, (result) => this.#finish(result));
      },
      onFailure: () => {
        this.#dialing = null;
        this.#finish('network');
      },
    });
  }

  #finish(result: ProbeResult): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.#endCheck();
    const before = this.#host.failsActiveCheck;
    if (result === 'passed') this.#pass();
    else this.#fail(result);
    this.isKnown = true;
    const hasChanged = before !== this.#host.failsActiveCheck;
    if (hasChanged) {
      if (before) this.#host.healthySinceMs = this.#tools.clock.monotonicMs();
      this.#tools.onChange();
    }
    this.#onResult();
    this.#timer = this.#tools.clock.after(this.#intervalMs(hasChanged), () => this.#check());
  }

  #pass(): void {
    this.#stats.success.value += 1;
    this.#failures = 0;
    this.#passes += 1;
    // The first check of all decides at once.
    if (!this.isKnown || this.#passes >= this.#settings.healthyThreshold) this.#host.failsActiveCheck = false;
    this.#tools.onPassed(this.#host);
  }

  #fail(result: ProbeResult): void {
    this.#stats.failure.value += 1;
    if (result === 'network') this.#stats.networkFailure.value += 1;
    this.#passes = 0;
    this.#failures += 1;
    // An answer that says so needs no second one.
    if (result === 'failed' || this.#failures >= this.#settings.unhealthyThreshold) this.#host.failsActiveCheck = true;
  }

  #intervalMs(hasChanged: boolean): number {
    const { intervals } = this.#settings;
    const isHealthy = !this.#host.failsActiveCheck;
    let intervalMs: number;
    if (!this.#tools.hasTraffic()) intervalMs = isHealthy ? intervals.noTrafficHealthyMs : intervals.noTrafficMs;
    else if (hasChanged) intervalMs = isHealthy ? intervals.healthyEdgeMs : intervals.unhealthyEdgeMs;
    else intervalMs = isHealthy ? intervals.healthyMs : intervals.unhealthyMs;
    const { random } = this.#tools;
    return intervalMs + random() * intervals.jitterMs + (random() * intervals.jitterPercent * intervalMs) / 100;
  }

  #endCheck(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#dialing?.abort();
    this.#dialing = null;
    this.#socket?.destroy();
    this.#socket = null;
  }
}
