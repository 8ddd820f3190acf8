import type { FilterStateValue } from '@flotilla/wire/envoy/extensions/filters/common/set_filter_state/v3/value_pb.js';
import { inField, refuse } from '@flotilla/envoy';
import { compileFormatString } from './format-string.ts';
import type { Surroundings } from './surroundings.ts';
import type { FilterState, StreamInfo } from '@flotilla/stream';

/**
 * Kinds of objects that mean something here: any text, and the keys that are read by name. None of them is read by
 * connections to upstreams, so `shared_with_upstream` changes nothing.
 */
const FACTORIES: ReadonlySet<string> = new Set([
  'envoy.string',
  'envoy.tcp_proxy.cluster',
  'envoy.upstream.dynamic_host',
  'envoy.upstream.dynamic_port',
]);

/** Sets all values of a `set_filter_state` filter, each a format over what is known so far. */
export type SetFilterState = (state: FilterState, info: StreamInfo) => void;

/** Throws `invalid`, naming the field. */
export function compileFilterStateValues(
  values: readonly FilterStateValue[],
  path: string,
  surroundings: Surroundings,
): SetFilterState {
  const steps = values.map((value, index) => inField(`${path}[${index}]`, () => compileValue(value, surroundings)));
  return (state, info) => {
    for (const step of steps) step(state, info);
  };
}

function compileValue(
  { key, factoryKey, value, readOnly, skipIfEmpty }: FilterStateValue,
  surroundings: Surroundings,
): SetFilterState {
  if (key.case !== 'objectKey' || key.value === '') return refuse('object_key', 'is missing');
  const name = key.value;
  const factory = factoryKey || name;
  if (!FACTORIES.has(factory)) {
    refuse('factory_key', `"${factory}" is not supported`, `Supported: ${[...FACTORIES].join(', ')}.`);
  }
  if (value.case !== 'formatString') return refuse('format_string', 'is missing');
  const format = inField('format_string', () => compileFormatString(value.value, surroundings));
  return (state, info) => {
    const text = format(info);
    if (text !== '' || !skipIfEmpty) state.set(name, text, readOnly);
  };
}
