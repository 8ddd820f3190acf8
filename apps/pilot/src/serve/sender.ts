import { type Clock, FlotillaError, type Timer } from '@flotilla/runtime';
import type { StreamLimits } from './stream-limits.ts';

/** Responses on their way to one proxy, and whether it reads them. */
export interface Sender {
  readonly send: (bytes: Buffer) => void;
  /** So much is unread that no further response is made. */
  readonly isBlocked: () => boolean;
  close(): void;
}

export interface SenderOptions {
  /** Writes, and calls back when the proxy has made room for all of it. */
  readonly write: (bytes: Buffer, onRead: () => void) => void;
  /** There is room again. */
  readonly onRead: () => void;
  /** The proxy has read nothing for too long. */
  readonly onStalled: (error: FlotillaError) => void;
  readonly limits: Pick<StreamLimits, 'unsentBytes' | 'unsentMs'>;
  readonly clock: Clock;
}

/**
 * Bounds what waits in memory for a proxy that does not read: a response is made only while less than `unsentBytes` of
 * earlier ones are unread. Then it is of what is right at that moment, and what came between is never sent.
 */
export function openSender({ write, onRead, onStalled, limits, clock }: SenderOptions): Sender {
  let unread = 0;
  let isClosed = false;
  let timer: Timer | null = null;
  const isBlocked = () => unread >= limits.unsentBytes;
  const watch = () => {
    timer?.cancel();
    timer =
      unread === 0 || isClosed
        ? null
        : clock.after(limits.unsentMs, () =>
            onStalled(new FlotillaError('exhausted', `${unread} bytes of responses were not read within pilot.unsent`)),
          );
  };
  return {
    send(bytes) {
      unread += bytes.length;
      if (timer === null) watch();
      write(bytes, () => {
        const wasBlocked = isBlocked();
        unread -= bytes.length;
        watch();
        if (wasBlocked && !isBlocked() && !isClosed) onRead();
      });
    },
    isBlocked,
    close() {
      isClosed = true;
      timer?.cancel();
    },
  };
}
