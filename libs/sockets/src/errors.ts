/** Who hears of an error. It must not throw. */
export type OnError = (error: Error) => void;

/** As much of a logger as an owner needs. */
export interface ErrorLog {
  warn(message: string, fields: object): void;
}

/** Writes errors to the log, as `<what> failed`. */
export function logged(logger: ErrorLog, what: string): OnError {
  return (error) => logger.warn(`${what} failed`, { reason: error.message });
}

/** For things whose end is what matters: after an error Node closes them, and whoever uses them hears `close`. */
export function closeFollows(_error: Error): void {
  // Nothing is lost: `close` is told, and whoever wants the reason listens too.
}
