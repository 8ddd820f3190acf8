import { durationMs } from '@bufbuild/protobuf/wkt';
import { FlotillaError } from '@flotilla/runtime';
import type { ConfigSource } from '@flotilla/wire/envoy/config/core/v3/config_source_pb.js';

const DEFAULT_FETCH_TIMEOUT_MS = 15_000;

/** How long a resource waits for what this source delivers (Envoy: `initial_fetch_timeout`, 15 s); 0: without end. */
export function fetchTimeoutMs(source: ConfigSource | undefined): number {
  return source?.initialFetchTimeout === undefined ? DEFAULT_FETCH_TIMEOUT_MS : durationMs(source.initialFetchTimeout);
}

/** Throws `invalid` for a source other than the aggregated stream. */
export function requireAds(source: ConfigSource | undefined, field: string): void {
  const kind = source?.configSourceSpecifier.case;
  if (kind === 'ads' || kind === 'self') return;
  throw new FlotillaError('invalid', `${field}: only the aggregated stream is supported: use ads`);
}
