import type { Logger } from '@flotilla/observe';
import type { Clock } from '@flotilla/runtime';
import { type LogBounds, type LogLoss, openRotatingFile, type RotatingFile } from '@flotilla/runtime/disk';

export interface ProcessLogOptions {
  /** Of the process, for messages. */
  readonly name: string;
  readonly logBounds: LogBounds;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The file of what a process says, in its own words. Lines that it cannot take are told, once when that begins. */
export function openProcessLog(path: string, { name, logBounds, clock, logger }: ProcessLogOptions): RotatingFile {
  let isLosing = false;
  return openRotatingFile({
    path,
    clock,
    ...logBounds,
    onLost(_, why) {
      if (isLosing) return;
      isLosing = true;
      logger.warn(`what ${name} says is lost`, { path, why });
    },
    notice(loss) {
      isLosing = false;
      logger.warn(`what ${name} says is written again`, { path, lost: loss.lines });
      return noticeOf(loss);
    },
  });
}

function noticeOf({ lines, sinceMs, why }: LogLoss): string {
  return `flotilla: ${lines} lines were lost here, since ${new Date(sinceMs).toISOString()}: ${why}`;
}
