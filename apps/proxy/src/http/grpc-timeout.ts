import type { HeaderList } from '@flotilla/http-codec';
import type { GrpcTimeoutRule } from '@flotilla/route';

/** The deadline of a call in gRPC's HTTP/2 mapping: up to eight digits and a unit. */
export const GRPC_TIMEOUT = 'grpc-timeout';

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 0.001, n: 0.000_001 };
const MAX_VALUE = 99_999_999;

/** Milliseconds of a `grpc-timeout` value, rounded up; null when it is none. */
export function parseGrpcTimeout(text: string | undefined): number | null {
  const [, digits = '', unit = ''] = /^(\d{1,8})([HMSmun])$/.exec(text ?? '') ?? [];
  const factor = UNIT_MS[unit];
  return factor === undefined ? null : Math.ceil(Number(digits) * factor);
}

/** Writes milliseconds in the smallest unit that holds them. */
export function grpcTimeoutText(ms: number): string {
  const whole = Math.ceil(ms);
  if (whole <= MAX_VALUE) return `${whole}m`;
  const seconds = Math.ceil(whole / 1000);
  if (seconds <= MAX_VALUE) return `${seconds}S`;
  return `${Math.min(MAX_VALUE, Math.ceil(seconds / 60))}M`;
}

/** What a call may take by its client's deadline and the route's rule, in milliseconds; null for no gRPC call. 0: no limit. */
export function grpcTimeoutMs(headers: HeaderList, { bounds, maxMs, offsetMs }: GrpcTimeoutRule): number | null {
  const isGrpc = headers.get('content-type')?.startsWith('application/grpc') === true;
  const asked = parseGrpcTimeout(headers.get(GRPC_TIMEOUT));
  if (bounds === 'response') {
    if (!isGrpc) return null;
    const wanted = asked === null ? 0 : offsetMs < asked ? asked - offsetMs : asked;
    return maxMs > 0 && (wanted === 0 || wanted > maxMs) ? maxMs : wanted;
  }
  if (asked === null) return null;
  const capped = maxMs > 0 ? Math.min(asked, maxMs) : asked;
  // A deadline that has passed already fails at once rather than never.
  return Math.max(capped > 0 ? 1 : 0, capped - offsetMs);
}
