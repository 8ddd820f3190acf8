/**
 * Settles when the process that started this one is gone: its IPC channel, or standard input where there is none,
 * has closed. A crash of the parent so leaves no proxy behind.
 */
export function untilParentExits(): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.once('disconnect', () => resolve());
    else {
      process.stdin.once('end', () => resolve());
      process.stdin.once('close', () => resolve());
      process.stdin.resume();
    }
  });
}
