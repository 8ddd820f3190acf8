import type { Membership } from '@flotilla/bus';
import type { Logger } from '@flotilla/observe';
import { Backoff, type Clock, FlotillaError, type Random, type Timer } from '@flotilla/runtime';

const RETRY = { baseMs: 100, maxMs: 2_000 };

export interface JoinParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Joins, with back-off until it succeeds: a pilot that others take for dead would lose what it registered. */
export function keepJoined(
  membership: Membership,
  id: string,
  { clock, random, logger }: JoinParts,
): { close(): void } {
  const backoff = new Backoff(RETRY, random);
  let timer: Timer | null = null;
  let isClosed = false;
  let said = '';
  const join = (): void =>
    void membership.join(id).catch((error: unknown) => {
      if (isClosed) return;
      const waitMs = backoff.nextMs();
      const why = FlotillaError.from(error).message;
      // What it waits for is said once, not at every try.
      if (why !== said) logger.warn('pilot could not say that it lives, and tries again', { why });
      said = why;
      timer = clock.after(waitMs, join);
    });
  join();
  return {
    close() {
      isClosed = true;
      timer?.cancel();
    },
  };
}
