import type { Logger } from '@flotilla/observe';
import type { Clock } from '@flotilla/runtime';

/**
 * What is wrong with a claim: `refused` the proxy may not connect so; `overridden` it is served as configuration has it,
 * and not as it says; `contested` two live proxies claim one entry, which the first keeps.
 */
export type AlarmKind = 'refused' | 'overridden' | 'contested';

export interface Claim {
  readonly kind: AlarmKind;
  readonly nodeId: string;
  /** SPIFFE ID of the connection. */
  readonly identity: string;
  readonly reason: string;
}

export interface Alarm extends Claim {
  /** How often it was raised. */
  readonly count: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
}

export interface AlarmsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly count: (kind: AlarmKind) => void;
}

/** Different alarms that are remembered; past this the one raised longest ago is forgotten. */
const MAX_ALARMS = 100;
const MAX_TEXT = 300;

/** Proxies that said of themselves what they may not: logged, counted, and listed for who asks. */
export class Alarms {
  readonly #options: AlarmsOptions;
  readonly #alarms = new Map<string, Alarm>();

  constructor(options: AlarmsOptions) {
    this.#options = options;
  }

  raise(claim: Claim): void {
    const { clock, logger, count } = this.#options;
    const nowMs = clock.now();
    const clipped = { ...claim, nodeId: printable(claim.nodeId), reason: printable(claim.reason) };
    const id = JSON.stringify(clipped);
    const before = this.#alarms.get(id);
    const alarm = {
      ...clipped,
      count: (before?.count ?? 0) + 1,
      firstAtMs: before?.firstAtMs ?? nowMs,
      lastAtMs: nowMs,
    };
    // Put at the end: the map's order is that of the last times.
    this.#alarms.delete(id);
    this.#alarms.set(id, alarm);
    if (this.#alarms.size > MAX_ALARMS) this.#alarms.delete([...this.#alarms.keys()][0] ?? '');
    count(claim.kind);
    // A proxy that tries for ever is told of ever less often.
    if ((alarm.count & (alarm.count - 1)) !== 0) return;
    const { kind, nodeId, identity, reason } = alarm;
    logger.warn(`what ${nodeId} says of itself is ${kind}: ${reason}`, { identity, times: alarm.count });
  }

  /** The latest first. */
  list(): readonly Alarm[] {
    return [...this.#alarms.values()].reverse();
  }
}

/** What a stranger wrote, as it may be shown on a terminal. */
function printable(text: string): string {
  return text.slice(0, MAX_TEXT).replaceAll(/[\p{Cc}\p{Cf}]/gu, '\uFFFD');
}
