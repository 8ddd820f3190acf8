/**
 * Resolves at the first SIGINT, SIGTERM or SIGHUP. Handlers stay on, so that an impatient second Ctrl-C does not
 * cut off the orderly stop.
 */
export function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve(signal));
  });
}
