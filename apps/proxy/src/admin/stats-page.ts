import { compileRegexSearch } from '@flotilla/match';
import { isUsed, renderPrometheus } from '../observe/prometheus.ts';
import { Counter, Gauge, Histogram, type RegisteredMetric } from '../base/stats.ts';
import type { AdminState } from './admin-state.ts';
import { type AdminReply, json, text } from './server.ts';

/** `/stats`: one line a statistic, or JSON, or Prometheus' format. */
export async function statsPage(state: AdminState, query: URLSearchParams): Promise<AdminReply> {
  const format = query.get('format') ?? 'text';
  if (format === 'prometheus') return prometheusPage(state, query);
  if (format !== 'text' && format !== 'json') return text('format must be text, json or prometheus\n', 400);
  const filter = filterOf(query);
  if (filter === 'invalid') return text('filter is not a regular expression\n', 400);
  const shown = (await state.allStats())
    .filter(({ name, metric }) => (filter === null || filter(name)) && (!query.has('usedonly') || isUsed(metric)))
    .map((metric) => ({ name: nameOf(metric), metric: metric.metric }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const plain = shown.filter(({ metric }) => !(metric instanceof Histogram));
  const histograms = shown.flatMap(({ name, metric }) => (metric instanceof Histogram ? [{ name, metric }] : []));
  if (format === 'json') {
    const stats: object[] = plain.map(({ name, metric }) => ({ name, value: 'value' in metric ? metric.value : 0 }));
    if (histograms.length > 0) stats.push({ histograms: histogramsJson(histograms) });
    return json(JSON.stringify({ stats }));
  }
  const lines = plain.map(({ name, metric }) => `${name}: ${'value' in metric ? metric.value : 0}\n`);
  for (const { name, metric } of histograms) lines.push(`${name}: ${histogramText(metric)}\n`);
  return text(lines.join(''));
}

/** `/stats/prometheus`. */
export async function prometheusPage(state: AdminState, query: URLSearchParams): Promise<AdminReply> {
  const filter = filterOf(query);
  if (filter === 'invalid') return text('filter is not a regular expression\n', 400);
  const body = renderPrometheus(await state.allStats(), {
    tags: state.tags,
    fixedTags: state.fixedTags,
    clusterNames: new Set(state.config.clusters.names()),
    usedOnly: query.has('usedonly'),
    filter,
  });
  return { status: 200, type: 'text/plain; version=0.0.4', body };
}

function filterOf(query: URLSearchParams): ((name: string) => boolean) | null | 'invalid' {
  const filter = query.get('filter');
  if (filter === null || filter === '') return null;
  try {
    return compileRegexSearch(filter);
  } catch {
    return 'invalid';
  }
}

function nameOf({ name, labels }: RegisteredMetric): string {
  const tags = Object.entries(labels).map(([label, value]) => `${label}.${value}`);
  return [name, ...tags].join('.');
}

const QUANTILES = [0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1];

function histogramText(histogram: Histogram): string {
  if (histogram.count === 0) return 'No recorded values';
  return QUANTILES.map((quantile) => `P${quantile * 100}(nan,${quantileOf(histogram, quantile)})`).join(' ');
}

function histogramsJson(histograms: readonly { readonly name: string; readonly metric: Histogram }[]): object {
  return {
    supported_quantiles: QUANTILES.map((quantile) => quantile * 100),
    computed_quantiles: histograms.map(({ name, metric }) => ({
      name,
      values: QUANTILES.map((quantile) => ({
        interval: null,
        cumulative: metric.count === 0 ? null : quantileOf(metric, quantile),
      })),
    })),
  };
}

/** The upper bound of the bucket that holds the quantile. */
function quantileOf(histogram: Histogram, quantile: number): number {
  const wanted = Math.max(1, Math.ceil(quantile * histogram.count));
  let seen = 0;
  for (const [index, bound] of histogram.bounds.entries()) {
    seen += histogram.counts[index] ?? 0;
    if (seen >= wanted) return bound;
  }
  return histogram.bounds.at(-1) ?? 0;
}

/** Statistics of several processes as one: counters, gauges and histograms are added up. */
export function sumStats(parts: readonly (readonly RegisteredMetric[])[]): RegisteredMetric[] {
  const [first = [], ...others] = parts;
  if (others.length === 0) return [...first];
  const sums = new Map<string, RegisteredMetric>();
  for (const { name, labels, metric } of parts.flat()) {
    const key = JSON.stringify([name, labels]);
    const known = sums.get(key)?.metric;
    if (known === undefined) {
      sums.set(key, { name, labels, metric: copyOf(metric) });
    } else if (known instanceof Histogram && metric instanceof Histogram) {
      metric.counts.forEach((count, index) => {
        known.counts[index] = (known.counts[index] ?? 0) + count;
      });
      known.sum += metric.sum;
      known.count += metric.count;
    } else if (!(known instanceof Histogram) && !(metric instanceof Histogram)) {
      known.value += metric.value;
    }
  }
  return [...sums.values()];
}

function copyOf(metric: RegisteredMetric['metric']): RegisteredMetric['metric'] {
  if (metric instanceof Histogram) {
    const copy = new Histogram(metric.bounds);
    copy.counts.set(metric.counts);
    copy.sum = metric.sum;
    copy.count = metric.count;
    return copy;
  }
  const copy = metric instanceof Gauge ? new Gauge() : new Counter();
  copy.value = metric.value;
  return copy;
}
