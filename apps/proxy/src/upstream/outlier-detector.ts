import type { HostOutcome } from '../ports/cluster-manager.ts';
import type { Clock, Random, Timer } from '@flotilla/runtime';
import type { Counter, Gauge, StatsRegistry } from '../base/stats.ts';
import { clusterStatPrefix } from './cluster-stats.ts';
import type { Host } from './host.ts';
import type { ConsecutiveKind, OutlierSettings, RateKind, RateRule } from './outlier-settings.ts';

export interface OutlierTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly stats: StatsRegistry;
  /** The cluster's hosts, now. */
  readonly hosts: () => Iterable<Host>;
  /** Hosts were taken out or put back. */
  readonly onChange: () => void;
}

/** What is remembered of one host. */
class HostRecord {
  consecutive: { [Kind in ConsecutiveKind]: number } = {
    consecutive_5xx: 0,
    consecutive_gateway_failure: 0,
    consecutive_local_origin_failure: 0,
  };
  readonly external = new Tally();
  readonly local = new Tally();
  ejectedAtMs = 0;
  /** How often in a row it was taken out: each time is longer. */
  ejections = 0;
  jitterMs = 0;
}

/** Answers of one interval. */
class Tally {
  total = 0;
  good = 0;

  add(isGood: boolean): void {
    this.total += 1;
    if (isGood) this.good += 1;
  }

  /** Per cent. */
  get successRate(): number {
    return (100 * this.good) / this.total;
  }

  clear(): void {
    this.total = this.good = 0;
  }
}

/**
 * Takes hosts out of balancing that fail where others do not, for a time that grows with each repetition, and puts them
 * back (Envoy's outlier detection; every mesh field of it).
 */
export class OutlierDetector {
  readonly #settings: OutlierSettings;
  readonly #tools: OutlierTools;
  readonly #records = new WeakMap<Host, HostRecord>();
  readonly #active: Gauge;
  readonly #prefix: string;
  #timer: Timer | null = null;

  constructor(settings: OutlierSettings, clusterStatName: string, tools: OutlierTools) {
    this.#settings = settings;
    this.#tools = tools;
    this.#prefix = `${clusterStatPrefix(clusterStatName)}outlier_detection.`;
    this.#active = tools.stats.gauge(`${this.#prefix}ejections_active`);
    for (const name of ['ejections_enforced_total', 'ejections_overflow']) this.#counter(name);
    for (const kind of [...Object.keys(settings.consecutive), ...Object.keys(settings.rates)]) {
      this.#counter(`ejections_detected_${kind}`);
      this.#counter(`ejections_enforced_${kind}`);
    }
    this.#schedule();
  }

  report(host: Host, outcome: HostOutcome): void {
    const { splitsLocalOrigin } = this.#settings;
    if (outcome.kind === 'answer') {
      this.#countAnswer(host, outcome.status);
      return;
    }
    if (splitsLocalOrigin) this.#countReach(host, outcome.kind === 'connected');
    // A host that could not be reached is as one that answered so. That it could says nothing of its answers.
    else if (outcome.kind !== 'connected') this.#countAnswer(host, outcome.kind === 'timeout' ? 504 : 503);
  }

  /** The host left the cluster. */
  forget(host: Host): void {
    if (host.isEjected) this.#active.value -= 1;
    host.isEjected = false;
    this.#records.delete(host);
  }

  /** The host passed an active health check. */
  onHealthCheckPassed(host: Host): void {
    if (host.isEjected && this.#settings.healthCheckBringsBack) {
      this.#bringBack(host, this.#recordOf(host));
      this.#tools.onChange();
    }
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #countAnswer(host: Host, status: number): void {
    const record = this.#recordOf(host);
    const isGood = status < 500;
    record.external.add(isGood);
    if (isGood) {
      record.consecutive.consecutive_5xx = record.consecutive.consecutive_gateway_failure = 0;
      return;
    }
    if (status >= 502 && status <= 504) this.#countConsecutive(host, record, 'consecutive_gateway_failure');
    else record.consecutive.consecutive_gateway_failure = 0;
    this.#countConsecutive(host, record, 'consecutive_5xx');
  }

  #countReach(host: Host, isGood: boolean): void {
    const record = this.#recordOf(host);
    record.local.add(isGood);
    if (isGood) record.consecutive.consecutive_local_origin_failure = 0;
    else this.#countConsecutive(host, record, 'consecutive_local_origin_failure');
  }

  #countConsecutive(host: Host, record: HostRecord, kind: ConsecutiveKind): void {
    const { threshold, enforced } = this.#settings.consecutive[kind];
    record.consecutive[kind] += 1;
    if (record.consecutive[kind] !== threshold) return;
    record.consecutive[kind] = 0;
    if (this.#eject(host, record, kind, enforced)) this.#tools.onChange();
  }

  /** True when the host is out now and was not before. */
  #eject(host: Host, record: HostRecord, kind: ConsecutiveKind | RateKind, enforced: number): boolean {
    if (host.isEjected) return false;
    this.#counter(`ejections_detected_${kind}`).value += 1;
    if (!this.#mayEjectOneMore()) {
      this.#counter('ejections_overflow').value += 1;
      return false;
    }
    if (enforced === 0 || (enforced < 1 && this.#tools.random() >= enforced)) return false;
    this.#active.value += 1;
    this.#counter('ejections_enforced_total').value += 1;
    this.#counter(`ejections_enforced_${kind}`).value += 1;
    host.isEjected = true;
    record.ejectedAtMs = this.#tools.clock.monotonicMs();
    record.ejections += 1;
    record.jitterMs = this.#tools.random() * this.#settings.jitterMs;
    return true;
  }

  #mayEjectOneMore(): boolean {
    const { maxEjectionPercent, alwaysEjectsOne } = this.#settings;
    const count = [...this.#tools.hosts()].length;
    if (alwaysEjectsOne && this.#active.value === 0) return true;
    return (100 * (this.#active.value + 1)) / count <= maxEjectionPercent;
  }

  #schedule(): void {
    this.#timer = this.#tools.clock.after(this.#settings.intervalMs, () => {
      this.#schedule();
      this.#tick();
    });
  }

  #tick(): void {
    const nowMs = this.#tools.clock.monotonicMs();
    let hasChanged = false;
    for (const host of this.#tools.hosts()) {
      const record = this.#recordOf(host);
      if (!host.isEjected) record.ejections = Math.max(0, record.ejections - 1);
      else if (nowMs >= record.ejectedAtMs + this.#ejectionMs(record)) {
        this.#bringBack(host, record);
        hasChanged = true;
      }
    }
    if (this.#judgeRates()) hasChanged = true;
    if (hasChanged) this.#tools.onChange();
  }

  #ejectionMs({ ejections, jitterMs }: HostRecord): number {
    const { baseEjectionMs, maxEjectionMs } = this.#settings;
    return Math.min(baseEjectionMs * ejections, maxEjectionMs) + jitterMs;
  }

  #bringBack(host: Host, record: HostRecord): void {
    host.isEjected = false;
    this.#active.value -= 1;
    record.consecutive.consecutive_5xx = 0;
    record.consecutive.consecutive_gateway_failure = 0;
    record.consecutive.consecutive_local_origin_failure = 0;
  }

  /** Judges the interval's answers of all hosts, and begins the next. */
  #judgeRates(): boolean {
    const { rates, splitsLocalOrigin } = this.#settings;
    const external = (record: HostRecord): Tally => record.external;
    const local = (record: HostRecord): Tally => record.local;
    let hasChanged = this.#judgeDeviation('success_rate', rates.success_rate, external);
    if (this.#judgeFailures('failure_percentage', rates.failure_percentage, external)) hasChanged = true;
    if (splitsLocalOrigin) {
      if (this.#judgeDeviation('local_origin_success_rate', rates.local_origin_success_rate, local)) hasChanged = true;
      const kind = 'local_origin_failure_percentage';
      if (this.#judgeFailures(kind, rates[kind], local)) hasChanged = true;
    }
    for (const host of this.#tools.hosts()) {
      const record = this.#recordOf(host);
      record.external.clear();
      record.local.clear();
    }
    return hasChanged;
  }

  /** Takes out hosts whose success rate is so many standard deviations below the mean. */
  #judgeDeviation(kind: RateKind, rule: RateRule, tallyOf: (record: HostRecord) => Tally): boolean {
    const judged = this.#hostsWithVolume(rule, tallyOf);
    if (judged.length < rule.minHosts || judged.length === 0) return false;
    const rates = judged.map(({ tally }) => tally.successRate);
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
    const variance = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length;
    const threshold = mean - Math.sqrt(variance) * rule.limit;
    return this.#ejectAll(judged, kind, rule, (tally) => tally.successRate < threshold);
  }

  /** Takes out hosts of which at least so many per cent of the answers are failures. */
  #judgeFailures(kind: RateKind, rule: RateRule, tallyOf: (record: HostRecord) => Tally): boolean {
    const judged = this.#hostsWithVolume(rule, tallyOf);
    if (judged.length < rule.minHosts) return false;
    return this.#ejectAll(judged, kind, rule, (tally) => 100 - tally.successRate >= rule.limit);
  }

  #ejectAll(
    judged: readonly { readonly host: Host; readonly tally: Tally }[],
    kind: RateKind,
    { enforced }: RateRule,
    isOutlier: (tally: Tally) => boolean,
  ): boolean {
    let hasChanged = false;
    for (const { host, tally } of judged) {
      if (isOutlier(tally) && this.#eject(host, this.#recordOf(host), kind, enforced)) hasChanged = true;
    }
    return hasChanged;
  }

  #hostsWithVolume({ minRequests }: RateRule, tallyOf: (record: HostRecord) => Tally) {
    return [...this.#tools.hosts()]
      .filter((host) => !host.isEjected)
      .map((host) => ({ host, tally: tallyOf(this.#recordOf(host)) }))
      .filter(({ tally }) => tally.total > 0 && tally.total >= minRequests);
  }

  #recordOf(host: Host): HostRecord {
    let record = this.#records.get(host);
    if (record === undefined) {
      record = new HostRecord();
      this.#records.set(host, record);
    }
    return record;
  }

  #counter(name: string): Counter {
    return this.#tools.stats.counter(this.#prefix + name);
  }
}
