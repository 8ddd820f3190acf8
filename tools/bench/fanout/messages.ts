/** Nanoseconds of the machine's monotonic clock, which all its processes share. As text, since messages are JSON. */
export type Instant = string;

export const now = (): Instant => process.hrtime.bigint().toString();

export function millisecondsBetween(from: Instant, to: Instant): number {
  return Number(BigInt(to) - BigInt(from)) / 1e6;
}

/** What the processes of the benchmark say to their parent. */
export type FanoutMessage =
  | { readonly type: 'galley'; readonly url: string }
  | { readonly type: 'pilot'; readonly xdsPort: number }
  /** Galley has committed a version, and announces it next. */
  | { readonly type: 'committed'; readonly version: number; readonly at: Instant }
  /** A pilot has heard of a version. */
  | { readonly type: 'notified'; readonly version: number; readonly at: Instant };

export function tell(message: FanoutMessage): void {
  process.send?.(message);
}
