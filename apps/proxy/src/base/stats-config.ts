import { compileStringMatcher } from '@flotilla/match';
import type {
  HistogramBucketSettings,
  StatsConfig,
  StatsMatcher,
} from '@flotilla/wire/envoy/config/metrics/v3/stats_pb.js';
import type { ListStringMatcher } from '@flotilla/wire/envoy/type/matcher/v3/string_pb.js';
import { refuse, stringMatchOf } from '@flotilla/envoy';
import type { StatsOptions } from './stats.ts';

/** Which statistics are kept, and the buckets of histograms, by `stats_config`. Throws `invalid`, naming the field. */
export function compileStatsConfig(config: StatsConfig | undefined): StatsOptions {
  const isKept = compileMatcher(config?.statsMatcher);
  const buckets = (config?.histogramBucketSettings ?? []).map(compileBuckets);
  return {
    ...(isKept === null ? {} : { isKept }),
    ...(buckets.length === 0
      ? {}
      : { boundsOf: (name: string) => buckets.find(({ matches }) => matches(name))?.bounds ?? null }),
  };
}

/** Null: all are. */
function compileMatcher(matcher: StatsMatcher | undefined): ((name: string) => boolean) | null {
  const which = matcher?.statsMatcher;
  switch (which?.case) {
    case 'rejectAll':
      return which.value ? () => false : null;
    case 'exclusionList': {
      const isListed = compileList(which.value, 'stats_config.stats_matcher.exclusion_list');
      return (name) => !isListed(name);
    }
    case 'inclusionList':
      return compileList(which.value, 'stats_config.stats_matcher.inclusion_list');
    case undefined:
      return null;
  }
}

function compileList({ patterns }: ListStringMatcher, path: string): (name: string) => boolean {
  const matchers = patterns.map((pattern, index) =>
    compileStringMatcher(stringMatchOf(pattern, `${path}.patterns[${index}]`)),
  );
  return (name) => matchers.some((matches) => matches(name));
}

function compileBuckets({ match, buckets }: HistogramBucketSettings, index: number) {
  const path = `stats_config.histogram_bucket_settings[${index}]`;
  const isRising = buckets.every((bound, at) => at === 0 || bound > (buckets[at - 1] ?? 0));
  if (!isRising) refuse(`${path}.buckets`, 'do not rise');
  return { matches: compileStringMatcher(stringMatchOf(match, `${path}.match`)), bounds: buckets };
}
