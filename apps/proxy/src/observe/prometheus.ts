import { Counter, Gauge, Histogram, type Labels, type RegisteredMetric } from '../base/stats.ts';

/** Names of the labels that stand for parts of a dotted name. */
export interface TagNames {
  readonly clusterName: string;
  readonly httpPrefix: string;
  readonly tcpPrefix: string;
  readonly listenerAddress: string;
  readonly responseCode: string;
  readonly responseCodeClass: string;
}

/** Envoy's well-known tags, as its Prometheus page spells them. */
export const ENVOY_TAG_NAMES: TagNames = {
  clusterName: 'envoy_cluster_name',
  httpPrefix: 'envoy_http_conn_manager_prefix',
  tcpPrefix: 'envoy_tcp_prefix',
  listenerAddress: 'envoy_listener_address',
  responseCode: 'envoy_response_code',
  responseCodeClass: 'envoy_response_code_class',
};

export interface TaggedName {
  readonly name: string;
  readonly labels: Labels;
}

/** First words of the statistics of a connection manager, where its prefix ends (prefixes may hold dots). */
const HTTP_STAT =
  /^http\.(.+?)\.((?:downstream_|rq_|no_route|no_cluster|passthrough_|tracing\.|fault\.|cors\.|csrf\.|rbac\.|buffer\.|local_rate|user_agent\.).*)$/;
const LISTENER = /^listener\.((?:\d+\.){3}\d+_\d+|\[[^\]]*\]_\d+|[^.]+)\.(.*)$/;
/** The host of a Kubernetes service may end the name, as in `outbound|80||a.ns.svc.cluster.local`. */
const CLUSTER = /^cluster\.([^.]+(?:(?:\.[^.]+)*?\.svc\.cluster\.local)?)\.(.*)$/;

/**
 * Splits a dotted name into Prometheus' name and labels, by Envoy's tag extraction. `clusterNames` are the clusters
 * in force: they may hold dots, which Envoy's own expressions misread.
 */
export function extractTags(dotted: string, tags: TagNames, clusterNames: ReadonlySet<string>): TaggedName {
  const labels: Record<string, string> = {};
  let name = dotted;
  if (dotted.startsWith('cluster.')) {
    const split = splitCluster(dotted, clusterNames);
    if (split !== null) {
      labels[tags.clusterName] = split.cluster;
      name = `cluster.${split.rest}`;
    }
  } else if (dotted.startsWith('listener.')) {
    const match = LISTENER.exec(dotted);
    if (match?.[1] !== undefined) {
      labels[tags.listenerAddress] = match[1];
      name = `listener.${match[2] ?? ''}`;
    }
  } else if (dotted.startsWith('tcp.')) {
    const end = dotted.lastIndexOf('.');
    if (end > 4) {
      labels[tags.tcpPrefix] = dotted.slice(4, end);
      name = `tcp.${dotted.slice(end + 1)}`;
    }
  }
  const http = HTTP_STAT.exec(name.startsWith('listener.http.') ? name.slice('listener.'.length) : name);
  if (http?.[1] !== undefined) {
    labels[tags.httpPrefix] = http[1];
    name = `${name.startsWith('listener.') ? 'listener.' : ''}http.${http[2] ?? ''}`;
  }
  const code = /^(.*_rq)_(\d{3})$/.exec(name);
  if (code?.[2] !== undefined) {
    labels[tags.responseCode] = code[2];
    name = code[1] ?? name;
  }
  const codeClass = /^(.*_rq)_(\d)xx$/.exec(name);
  if (codeClass?.[2] !== undefined) {
    labels[tags.responseCodeClass] = codeClass[2];
    name = `${codeClass[1] ?? name}_xx`;
  }
  return { name: `envoy_${name.replace(/[^a-zA-Z0-9_]/g, '_')}`, labels };
}

function splitCluster(dotted: string, clusterNames: ReadonlySet<string>): { cluster: string; rest: string } | null {
  const prefix = 'cluster.'.length;
  for (let dot = dotted.indexOf('.', prefix); dot !== -1; dot = dotted.indexOf('.', dot + 1)) {
    const cluster = dotted.slice(prefix, dot);
    if (clusterNames.has(cluster)) return { cluster, rest: dotted.slice(dot + 1) };
  }
  const match = CLUSTER.exec(dotted);
  return match?.[1] === undefined ? null : { cluster: match[1], rest: match[2] ?? '' };
}

export interface PrometheusOptions {
  readonly tags: TagNames;
  /** On every metric. */
  readonly fixedTags: Labels;
  readonly clusterNames: ReadonlySet<string>;
  /** Leaves out what was never counted (Envoy: `usedonly`). */
  readonly usedOnly: boolean;
  /** Leaves out names (dotted) that it does not match. */
  readonly filter: ((name: string) => boolean) | null;
}

/** Prometheus' text format, version 0.0.4. Names that are Prometheus names already (`istio_…`) stay as they are. */
export function renderPrometheus(metrics: Iterable<RegisteredMetric>, options: PrometheusOptions): string {
  const families = new Map<string, { readonly type: string; lines: string }>();
  for (const { name: dotted, labels, metric } of metrics) {
    if (options.filter !== null && !options.filter(dotted)) continue;
    if (options.usedOnly && !isUsed(metric)) continue;
    const tagged = dotted.startsWith('istio_')
      ? { name: dotted, labels }
      : extractTags(dotted, options.tags, options.clusterNames);
    const all = { ...options.fixedTags, ...tagged.labels, ...labels };
    let family = families.get(tagged.name);
    if (family === undefined) {
      family = { type: typeOf(metric), lines: '' };
      families.set(tagged.name, family);
    }
    family.lines +=
      metric instanceof Histogram
        ? histogramLines(tagged.name, all, metric)
        : `${tagged.name}${formatLabels(all)} ${metric.value}\n`;
  }
  let text = '';
  for (const [name, { type, lines }] of families) text += `# TYPE ${name} ${type}\n${lines}`;
  return text;
}

export function isUsed(metric: RegisteredMetric['metric']): boolean {
  return metric instanceof Histogram ? metric.count > 0 : metric.value !== 0;
}

function typeOf(metric: RegisteredMetric['metric']): string {
  if (metric instanceof Counter) return 'counter';
  return metric instanceof Gauge ? 'gauge' : 'histogram';
}

function histogramLines(name: string, labels: Labels, histogram: Histogram): string {
  let cumulative = 0;
  let lines = '';
  for (const [index, bound] of histogram.bounds.entries()) {
    cumulative += histogram.counts[index] ?? 0;
    lines += `${name}_bucket${formatLabels({ ...labels, le: String(bound) })} ${cumulative}\n`;
  }
  lines += `${name}_bucket${formatLabels({ ...labels, le: '+Inf' })} ${histogram.count}\n`;
  return `${lines}${name}_sum${formatLabels(labels)} ${histogram.sum}\n${name}_count${formatLabels(labels)} ${histogram.count}\n`;
}

function formatLabels(labels: Labels): string {
  let text = '';
  for (const name in labels) {
    const value = (labels[name] ?? '').replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
    text += `${text === '' ? '' : ','}${name}="${value}"`;
  }
  return text === '' ? '' : `{${text}}`;
}
