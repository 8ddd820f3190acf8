import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { StatsConfigSchema } from '@flotilla/wire/envoy/config/metrics/v3/stats_pb.js';
import { describe, expect, it } from 'vitest';
import { compileStatsConfig } from './stats-config.ts';
import { ENVOY_BUCKETS, StatsRegistry } from './stats.ts';

function open(json: JsonValue): StatsRegistry {
  return new StatsRegistry(compileStatsConfig(fromJson(StatsConfigSchema, json)));
}

function keptOf(json: JsonValue): string[] {
  const stats = open(json);
  stats.counter('cluster.a.upstream_rq_total').value += 1;
  stats.gauge('cluster.b.upstream_cx_active');
  stats.counter('istio_requests_total', { reporter: 'source' });
  return [...stats.all()].map(({ name }) => name);
}

describe('stats_config', () => {
  it.each<[string, JsonValue, readonly string[]]>([
    ['nothing', {}, ['cluster.a.upstream_rq_total', 'cluster.b.upstream_cx_active', 'istio_requests_total']],
    ['reject_all', { stats_matcher: { reject_all: true } }, ['istio_requests_total']],
    [
      'an exclusion list',
      { stats_matcher: { exclusion_list: { patterns: [{ prefix: 'cluster.a' }] } } },
      ['cluster.b.upstream_cx_active', 'istio_requests_total'],
    ],
    [
      'an inclusion list',
      { stats_matcher: { inclusion_list: { patterns: [{ safe_regex: { regex: '.*rq_total' } }] } } },
      ['cluster.a.upstream_rq_total', 'istio_requests_total'],
    ],
  ])('keeps what %s says, and metrics that a filter asks for', (_, json, kept) => {
    expect(keptOf(json)).toEqual(kept);
  });

  it('still counts what it does not keep, for whoever holds it', () => {
    const counter = open({ stats_matcher: { reject_all: true } }).counter('a');
    counter.value += 1;
    expect(counter.value).toBe(1);
  });

  it('gives histograms their buckets, the first that match', () => {
    const stats = open({
      histogram_bucket_settings: [
        { match: { suffix: '_ms' }, buckets: [1, 10] },
        { match: { prefix: 'x' }, buckets: [5] },
      ],
    });
    expect(stats.histogram('x_ms').bounds).toEqual([1, 10]);
    expect(stats.histogram('x').bounds).toEqual([5]);
    expect(stats.histogram('y').bounds).toEqual(ENVOY_BUCKETS);
  });

  it('refuses buckets that do not rise', () => {
    expect(() => open({ histogram_bucket_settings: [{ match: { prefix: 'x' }, buckets: [5, 5] }] })).toThrow(
      'stats_config.histogram_bucket_settings[0].buckets: do not rise',
    );
  });
});
