import type { Failure } from './load.ts';
import type { Outage } from './part.ts';

/** How late a request may still be on a connection whose other end was killed: until its sidecar has heard. */
const GRACE_MS = 100;

/**
 * The outage that explains a failed request: one of an instance of its service, which was killed while the request was on
 * its way. Nothing else does: not that it was tried while the instance was down, for there is another one.
 */
export function explanationOf(failure: Failure, outages: readonly Outage[]): Outage | null {
  return (
    outages.find(
      ({ part, startMs, goneMs }) =>
        part.startsWith(`${failure.service}-`) && failure.sentMs <= goneMs + GRACE_MS && failure.endedMs >= startMs,
    ) ?? null
  );
}
