import type { Tables } from './table.ts';

/** Matchers of text, numbers and metadata, and the small values of `envoy.type`. */
export const MATCHERS: Tables = {
  'envoy.type.matcher.v3.StringMatcher': {
    honoured: 'exact prefix suffix safe_regex contains ignore_case',
    refused: { 'there are no matchers to choose from': 'custom' },
  },
  'envoy.type.matcher.v3.RegexMatcher': {
    honoured: 'regex',
    hints: { 'RE2 is the only engine, and expressions are bounded by their length': 'google_re2' },
  },
  'envoy.type.matcher.v3.RegexMatchAndSubstitute': { honoured: 'pattern substitution' },
  'envoy.type.matcher.v3.ListStringMatcher': { honoured: 'patterns' },
  'envoy.type.matcher.v3.DoubleMatcher': { honoured: 'range exact' },
  'envoy.type.matcher.v3.ListMatcher': { honoured: 'one_of' },
  'envoy.type.matcher.v3.OrMatcher': { honoured: 'value_matchers' },
  'envoy.type.matcher.v3.MetadataMatcher': { honoured: 'filter path value invert' },
  'envoy.type.matcher.v3.MetadataMatcher.PathSegment': { honoured: 'key' },
  'envoy.type.matcher.v3.ValueMatcher': {
    honoured: 'null_match double_match string_match bool_match present_match list_match or_match',
  },
  'envoy.type.v3.DoubleRange': { honoured: 'start end' },
  'envoy.type.v3.Int32Range': { honoured: 'start end' },
  'envoy.type.v3.Int64Range': { honoured: 'start end' },
  'envoy.type.v3.FractionalPercent': { honoured: 'numerator denominator' },
  'envoy.type.v3.Percent': { honoured: 'value' },
  'envoy.type.v3.HttpStatus': { honoured: 'code' },
  'envoy.type.v3.TokenBucket': { honoured: 'max_tokens tokens_per_fill fill_interval' },
  'envoy.type.v3.HashPolicy': {
    honoured: 'source_ip',
    refused: { 'connections are hashed by their source address alone': 'filter_state' },
  },
};
