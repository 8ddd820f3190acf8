import { type Clock, FlotillaError } from '@flotilla/runtime';
import {
  type ProxyStatus,
  SyncState,
  type TypeStatus,
  type WithheldResource,
} from '@flotilla/wire/flotilla/pilot/v1/pilot_pb.js';
import { isSynced, type PilotClient, type PilotReport, reportProxies, workloadOf } from './proxies.ts';

export interface WaitForSyncOptions {
  /** Default 30 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** A proxy that does not take what it was sent, and keeps what it had. */
export interface Refusal {
  /** `reviews-v1.default`. */
  readonly workload: string;
  readonly typeUrl: string;
  /** The proxy's words. */
  readonly reason: string;
}

/** Proxies refused a version. */
export class RefusedByProxiesError extends FlotillaError {
  readonly refusals: readonly Refusal[];

  constructor(refusals: readonly Refusal[]) {
    super('invalid', refusals.map(describeRefusal).join('\n'));
    this.refusals = refusals;
  }
}

const DEFAULT_TIMEOUT_MS = 30_000;
const POLL_MS = 20;
/** A pilot that restarts is back within this time; one that is away for longer ends the wait. */
const AWAY_MS = 5_000;
/** A pilot that takes longer to tell its state counts as away. */
const CALL_TIMEOUT_MS = 2_000;

/**
 * Waits until every pilot has this version of the configuration and every proxy connected to one has acknowledged
 * what the version means for it; returns how many proxies that are. Throws `RefusedByProxiesError` as soon as a proxy refuses, `unavailable` when
 * time runs out or a pilot stays away for 5 s, and the signal's reason when it is aborted.
 */
export async function waitForSync(
  pilots: readonly PilotClient[],
  version: bigint,
  clock: Clock,
  options: WaitForSyncOptions = {},
): Promise<number> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, signal } = options;
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  const seenAtMs = new Map(pilots.map(({ url }) => [url, clock.monotonicMs()]));
  for (;;) {
    signal?.throwIfAborted();
    const reports = await reportProxies(pilots, {
      timeoutMs: CALL_TIMEOUT_MS,
      ...(signal === undefined ? {} : { signal }),
    });
    const refusals = reports.flatMap(({ proxies, withheld }) => [
      ...proxies.flatMap((proxy) => refusalsOf(proxy, version)),
      ...withheldSince(withheld, version),
    ]);
    if (refusals.length > 0) throw new RefusedByProxiesError(refusals);
    if (reports.every((report) => isReportSynced(report, version))) {
      return reports.reduce((count, { proxies }) => count + proxies.length, 0);
    }
    const nowMs = clock.monotonicMs();
    for (const { url, error } of reports) {
      if (error === null) seenAtMs.set(url, nowMs);
      else if (nowMs - (seenAtMs.get(url) ?? nowMs) > AWAY_MS) throw error;
    }
    if (nowMs >= deadlineMs) throw outOfTime(reports, version, timeoutMs);
    await new Promise<void>((resolve) => clock.after(POLL_MS, resolve, { keepAlive: true }));
  }
}

function isReportSynced(report: PilotReport, version: bigint): boolean {
  if (report.error !== null || report.version < version) return false;
  return report.proxies.every(isSynced) && report.withheld.every(({ suspected }) => !suspected);
}

function describeLate(proxy: ProxyStatus): string {
  const [refusal] = refusalsOf(proxy, 0n);
  return refusal === undefined ? `${workloadOf(proxy)} has not answered` : describeRefusal(refusal);
}

function describeRefusal({ workload, typeUrl, reason }: Refusal): string {
  return `${workload} refused ${typeUrl}: ${reason}`;
}

/** What a proxy refused of an earlier version may be just what this one puts right. */
function refusalsOf(proxy: ProxyStatus, version: bigint): Refusal[] {
  const isRefusal = ({ state, versionSent }: TypeStatus) => state === SyncState.REFUSED && versionSent >= version;
  return proxy.types
    .filter(isRefusal)
    .map(({ typeUrl, errorDetail }) => ({ workload: workloadOf(proxy), typeUrl, reason: errorDetail }));
}

/** What was written in the version, or later, and does not reach some kind of proxy, which got everything else. */
function withheldSince(withheld: readonly WithheldResource[], version: bigint): Refusal[] {
  return withheld
    .filter((each) => !each.suspected && each.version >= version)
    .map(({ agent, kind, namespace, name, origin, typeUrl, reason }) => ({
      workload: agent,
      typeUrl,
      reason: `${origin}: ${kind} ${namespace}/${name}: ${reason}`,
    }));
}

function outOfTime(reports: readonly PilotReport[], version: bigint, timeoutMs: number): FlotillaError {
  const late = reports.flatMap((report): string[] => {
    if (report.error !== null) return [report.error.message];
    if (report.version < version) return [`the pilot at ${report.url} has version ${report.version}`];
    return report.proxies.filter((proxy) => !isSynced(proxy)).map(describeLate);
  });
  return new FlotillaError(
    'unavailable',
    `not every proxy acknowledged version ${version} within ${timeoutMs / 1000} s: ${late.join('; ')}`,
    { hint: 'See "flotilla proxy-status" for who has what.' },
  );
}
