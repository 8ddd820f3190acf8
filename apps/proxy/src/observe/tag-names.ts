import type { Bootstrap } from '@flotilla/wire/envoy/config/bootstrap/v3/bootstrap_pb.js';
import { ENVOY_TAG_NAMES, type TagNames } from './prometheus.ts';
import type { Labels } from '../base/stats.ts';

const OVERRIDES: readonly (readonly [string, keyof TagNames])[] = [
  ['cluster_name', 'clusterName'],
  ['http_conn_manager_prefix', 'httpPrefix'],
  ['tcp_prefix', 'tcpPrefix'],
  ['listener_address', 'listenerAddress'],
  ['response_code', 'responseCode'],
  ['response_code_class', 'responseCodeClass'],
];

/** Tags of `stats_config.stats_tags` that every statistic has. */
export function fixedTagsOf(bootstrap: Bootstrap): Labels {
  const tags = bootstrap.statsConfig?.statsTags ?? [];
  return Object.fromEntries(
    tags.flatMap(({ tagName, tagValue }) => (tagValue.case === 'fixedValue' ? [[tagName, tagValue.value]] : [])),
  );
}

/**
 * Label names for Prometheus: Envoy's, or Istio's where `stats_config.stats_tags` names them. The expressions of the
 * tags are not needed: this proxy knows its names' parts, and those of other tags find nothing in them.
 */
export function tagNamesOf(bootstrap: Bootstrap): TagNames {
  const declared = new Set((bootstrap.statsConfig?.statsTags ?? []).map(({ tagName }) => tagName));
  const names: Record<keyof TagNames, string> = { ...ENVOY_TAG_NAMES };
  for (const [tag, part] of OVERRIDES) if (declared.has(tag)) names[part] = tag;
  return names;
}
