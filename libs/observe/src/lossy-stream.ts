import { Writable } from 'node:stream';
import { countLines, type LogLoss, reasonOf } from '@flotilla/runtime/disk';

export interface LossyStreamOptions {
  /** Where lines go; its errors are heard here. Not closed. */
  readonly target: NodeJS.WritableStream;
  /** Told of every line that is lost, when it is. */
  readonly onLost: (lines: number) => void;
  /** Told once the target takes lines again. */
  readonly onBack: (loss: LogLoss) => void;
  readonly now: () => number;
}

// Who reads the other end of a pipe may have stopped.
const MAX_BUFFERED_BYTES = 1 << 20;

/**
 * A stream that always takes what is written, and never fails: what the target does not take, because its disk is full
 * or nobody reads it, is lost and counted.
 */
export function lossyStream({ target, onLost, onBack, now }: LossyStreamOptions): Writable {
  let loss: LogLoss | null = null;
  const lose = (chunk: Buffer, why: string): void => {
    const lines = countLines(chunk);
    loss = { lines: (loss?.lines ?? 0) + lines, sinceMs: loss?.sinceMs ?? now(), why };
    onLost(lines);
  };
  // Every write tells its own; without a listener the process would end.
  target.on('error', () => undefined);
  return new Writable({
    write(chunk: Buffer, _, done) {
      if (waitingBytes(target) > MAX_BUFFERED_BYTES) {
        lose(chunk, 'nobody reads it');
        return done();
      }
      target.write(chunk, (error) => {
        if (error) return lose(chunk, reasonOf(error));
        if (loss === null) return;
        const told = loss;
        loss = null;
        onBack(told);
      });
      done();
    },
  });
}

function waitingBytes(target: NodeJS.WritableStream): number {
  return 'writableLength' in target ? Number(target.writableLength) : 0;
}
