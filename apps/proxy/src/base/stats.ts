/** A monotonic count. The hot path adds to `value` directly; the holder is resolved once, at configuration time. */
export class Counter {
  value = 0;
}

/** A value that goes up and down. */
export class Gauge {
  value = 0;
}

/** Cumulative histogram with fixed upper bounds, in the unit of its name. */
export class Histogram {
  readonly bounds: readonly number[];
  readonly counts: Float64Array;
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  record(value: number): void {
    const { bounds } = this;
    let index = 0;
    while (index < bounds.length && value > (bounds[index] ?? 0)) index++;
    this.counts[index] = (this.counts[index] ?? 0) + 1;
    this.sum += value;
    this.count += 1;
  }
}

/** Envoy's default histogram buckets, milliseconds (or bytes). */
export const ENVOY_BUCKETS: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
];

export type Metric = Counter | Gauge | Histogram;
export type Labels = Readonly<Record<string, string>>;

export interface RegisteredMetric {
  /** Envoy's dotted name (`cluster.outbound|9080||x.upstream_rq_total`), or a Prometheus name for Istio's metrics. */
  readonly name: string;
  readonly labels: Labels;
  readonly metric: Metric;
}

export interface StatsOptions {
  /** Whether a statistic by Envoy's name is kept; the others are counted for nobody. Absent: all are. */
  readonly isKept?: (name: string) => boolean;
  /** Buckets of a histogram; null or absent: Envoy's. */
  readonly boundsOf?: (name: string) => readonly number[] | null;
}

/**
 * All statistics of one proxy process. Asking twice for one name and label set gives the same holder;
 * `removePrefix` forgets what belonged to a removed cluster or listener.
 */
export class StatsRegistry {
  readonly #metrics = new Map<string, RegisteredMetric>();
  /** What is to be forgotten, in one walk through all metrics: clusters go many at a time. */
  readonly #removed = new Set<string>();
  readonly #options: StatsOptions;

  constructor(options: StatsOptions = {}) {
    this.#options = options;
  }

  counter(name: string, labels: Labels = {}): Counter {
    return this.#obtain(name, labels, Counter, () => new Counter());
  }

  gauge(name: string, labels: Labels = {}): Gauge {
    return this.#obtain(name, labels, Gauge, () => new Gauge());
  }

  histogram(name: string, labels: Labels = {}, bounds: readonly number[] = ENVOY_BUCKETS): Histogram {
    return this.#obtain(name, labels, Histogram, () => new Histogram(this.#options.boundsOf?.(name) ?? bounds));
  }

  /** Forgets all whose name begins so; the prefix ends with a full stop. */
  removePrefix(prefix: string): void {
    this.#removed.add(prefix);
    if (this.#removed.size === 1) queueMicrotask(() => this.#sweep());
  }

  #sweep(): void {
    if (this.#removed.size === 0) return;
    for (const key of this.#metrics.keys()) {
      for (let dot = key.indexOf('.'); dot !== -1; dot = key.indexOf('.', dot + 1)) {
        if (this.#removed.has(key.slice(0, dot + 1))) {
          this.#metrics.delete(key);
          break;
        }
      }
    }
    this.#removed.clear();
  }

  all(): IterableIterator<RegisteredMetric> {
    this.#sweep();
    return this.#metrics.values();
  }

  #obtain<M extends Metric>(name: string, labels: Labels, type: new (...args: never[]) => M, create: () => M): M {
    this.#sweep();
    const key = labelKey(name, labels);
    const known = this.#metrics.get(key)?.metric;
    if (known instanceof type) return known;
    const metric = create();
    // Metrics with labels are those that a filter of the configuration asks for.
    const isKept = key !== name || (this.#options.isKept?.(name) ?? true);
    if (isKept) this.#metrics.set(key, { name, labels, metric });
    return metric;
  }
}

function labelKey(name: string, labels: Labels): string {
  let key = name;
  for (const label in labels) key += `\0${label}\0${labels[label] ?? ''}`;
  return key;
}
