import type { Logger, LogLevel } from '@flotilla/observe';

const ORDER: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

export interface LevelControl {
  level(): LogLevel;
  setLevel(level: LogLevel): void;
}

/**
 * A logger whose level can be changed while it runs, and so can that of its children. `inner` should let everything
 * through that is ever to be seen.
 */
export function leveledLogger(inner: Logger, level: LogLevel): { logger: Logger; control: LevelControl } {
  let current = level;
  const wrap = (target: Logger): Logger => ({
    debug: (message, fields) => {
      if (ORDER[current] <= ORDER.debug) target.debug(message, fields);
    },
    info: (message, fields) => {
      if (ORDER[current] <= ORDER.info) target.info(message, fields);
    },
    warn: (message, fields) => {
      if (ORDER[current] <= ORDER.warn) target.warn(message, fields);
    },
    error: (message, fields) => target.error(message, fields),
    child: (fields) => wrap(target.child(fields)),
    isDebug: () => current === 'debug' && target.isDebug(),
  });
  return {
    logger: wrap(inner),
    control: {
      level: () => current,
      setLevel: (next) => {
        current = next;
      },
    },
  };
}
