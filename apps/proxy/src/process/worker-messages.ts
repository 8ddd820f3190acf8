import type { LogLevel } from '@flotilla/observe';
import { Counter, Gauge, Histogram, type Labels, type RegisteredMetric } from '../base/stats.ts';

/** What the first process says to a worker. */
export type ToWorker =
  | {
      readonly kind: 'start';
      /** Bootstrap message, binary, base64. */
      readonly bootstrap: string;
      readonly concurrency: number;
      readonly logLevel: LogLevel;
    }
  | { readonly kind: 'stats'; readonly id: number }
  | { readonly kind: 'drain' }
  | { readonly kind: 'stop'; readonly drainMs: number };

/** What a worker says to the first process. */
export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'stats'; readonly id: number; readonly metrics: readonly PackedMetric[] };

/** A metric as plain data: a number for counters and gauges, the buckets for histograms. */
export interface PackedMetric {
  readonly name: string;
  readonly labels: Labels;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly value: number;
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly sum: number;
}

export function packMetric({ name, labels, metric }: RegisteredMetric): PackedMetric {
  if (metric instanceof Histogram) {
    const { bounds, counts, sum, count } = metric;
    return { name, labels, type: 'histogram', value: count, bounds, counts: [...counts], sum };
  }
  const type = metric instanceof Counter ? 'counter' : 'gauge';
  return { name, labels, type, value: metric.value, bounds: [], counts: [], sum: 0 };
}

export function unpackMetric(packed: PackedMetric): RegisteredMetric {
  const { name, labels } = packed;
  if (packed.type === 'histogram') {
    const metric = new Histogram(packed.bounds);
    metric.counts.set(packed.counts);
    metric.sum = packed.sum;
    metric.count = packed.value;
    return { name, labels, metric };
  }
  const metric = packed.type === 'counter' ? new Counter() : new Gauge();
  metric.value = packed.value;
  return { name, labels, metric };
}
