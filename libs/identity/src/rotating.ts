import { Backoff, FlotillaError, type Clock, type Random, type Timer } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import { formatSpiffeId, type IdentitySource, type WorkloadCertificate } from '@flotilla/spiffe';

/** Gets a new certificate; `current` is the one to renew, null the first time. */
export type Obtain = (current: WorkloadCertificate | null, signal: AbortSignal) => Promise<WorkloadCertificate>;

export interface RotationOptions {
  readonly obtain: Obtain;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger | null;
  /** The certificate has expired, and the authority refuses another one: only whoever starts this process can help. */
  readonly onLost?: (error: FlotillaError) => void;
}

/**
 * Timers do not run while a machine sleeps. So none waits longer than this, and each looks at the wall clock anew: a
 * laptop that wakes up past the renewal renews within this time.
 */
const MAX_WAIT_MS = 30_000;
/** Renewal is due at half-life, give or take this part of the lifetime, so that a mesh does not renew all at once. */
const JITTER = 0.1;
const MAX_RETRY_MS = 30_000;
const MAX_FIRST_RETRY_MS = 3_000;
/** However short the lifetimes, renewals are so far apart. */
const MIN_RENEWAL_MS = 250;

/**
 * An identity that renews itself:
 *
 *     obtain first ──ok──▶ wait until half-life ± 10 % ──▶ obtain ──ok──▶ tell subscribers, wait again
 *        │ ▲                                               │  ▲
 *        │ └─ back-off (authority away)                    │  └─ back-off; the old certificate stays in use
 *        └─ refused: throws                                └─ failed, for whatever reason
 *
 * Resolves with the first certificate. Throws what `obtain` throws when that is a refusal; an authority that is away
 * is waited for, until `signal` aborts.
 */
export async function openRotatingIdentity(options: RotationOptions, signal?: AbortSignal): Promise<IdentitySource> {
  const { obtain, clock, random, logger } = options;
  const closed = new AbortController();
  const listeners = new Set<(certificate: WorkloadCertificate) => void>();
  const until = signal === undefined ? closed.signal : AbortSignal.any([closed.signal, signal]);
  let current = await obtainFirst(options, until);
  let timer: Timer | null = null;

  const schedule = (atMs: number, act: () => void) => {
    if (closed.signal.aborted) return;
    const waitMs = atMs - clock.now();
    timer = waitMs <= 0 ? null : clock.after(Math.min(waitMs, MAX_WAIT_MS), () => schedule(atMs, act));
    if (timer === null) act();
  };
  const renew = async (backoff: Backoff) => {
    try {
      const next = await obtain(current, closed.signal);
      if (closed.signal.aborted) return;
      current = next;
      for (const listener of [...listeners]) listener(next);
      scheduleRenewal();
    } catch (thrown) {
      if (closed.signal.aborted) return;
      const error = FlotillaError.from(thrown);
      if (current.notAfterMs <= clock.now() && isRefusal(error)) options.onLost?.(error);
      const waitMs = retryDelayMs(backoff, random);
      logger?.warn('could not renew the certificate, the old one stays in use', {
        spiffeId: formatSpiffeId(current.spiffeId),
        validForMs: current.notAfterMs - clock.now(),
        retryInMs: Math.round(waitMs),
        why: error.message,
      });
      schedule(clock.now() + waitMs, () => void renew(backoff));
    }
  };
  const scheduleRenewal = () => {
    const nowMs = clock.now();
    const lifetimeMs = Math.max(0, current.notAfterMs - nowMs);
    const renewAtMs = nowMs + Math.max(MIN_RENEWAL_MS, lifetimeMs * (0.5 + (random() * 2 - 1) * JITTER));
    schedule(renewAtMs, () => void renew(createRetries(lifetimeMs, random)));
  };
  scheduleRenewal();

  return {
    current: () => current,
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close() {
      closed.abort();
      timer?.cancel();
      listeners.clear();
    },
  };
}

async function obtainFirst(options: RotationOptions, signal: AbortSignal): Promise<WorkloadCertificate> {
  const { clock, random, logger } = options;
  // Whoever waits for a first certificate serves nothing yet: it asks more often.
  const retries = createRetries(8 * MAX_FIRST_RETRY_MS, random);
  for (;;) {
    try {
      return await options.obtain(null, signal);
    } catch (thrown) {
      const error = FlotillaError.from(thrown);
      if (signal.aborted || (error.code !== 'unavailable' && error.code !== 'exhausted')) throw error;
      const waitMs = retryDelayMs(retries, random);
      logger?.warn('waiting for the certificate authority', { retryInMs: Math.round(waitMs), why: error.message });
      await pause(clock, waitMs, signal);
      if (signal.aborted) throw error;
    }
  }
}

function isRefusal({ code }: FlotillaError): boolean {
  return code === 'unauthenticated' || code === 'forbidden';
}

/** Short lifetimes retry faster: several tries must fit into the half that is left. */
function createRetries(lifetimeMs: number, random: Random): Backoff {
  const maxMs = Math.min(MAX_RETRY_MS, lifetimeMs / 8);
  return new Backoff({ baseMs: Math.min(1_000, maxMs), maxMs }, random);
}

/** Full jitter may come out near 0; an authority that is coming up is spared that. */
function retryDelayMs(backoff: Backoff, random: Random): number {
  return Math.max(backoff.nextMs(), 50 + random() * 50);
}

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      timer.cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.after(ms, done, { keepAlive: true });
    signal.addEventListener('abort', done);
  });
}
