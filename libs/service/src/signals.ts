const PARENT_POLL_MS = 500;

/**
 * Resolves at the first SIGINT, SIGTERM or SIGHUP. Handlers stay on, so that an impatient second Ctrl-C does not
 * cut off the orderly stop. Started by npm or npx it resolves too when the parent is gone: the shell that npm puts
 * between passes no signal on.
 */
export function untilSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve(signal));
    if (process.env['npm_command'] === undefined) return;
    const parent = process.ppid;
    const poll = setInterval(() => {
      if (process.ppid === parent) return;
      clearInterval(poll);
      resolve('parent gone');
    }, PARENT_POLL_MS);
    poll.unref();
  });
}
