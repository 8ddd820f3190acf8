import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Both halves together. Past it a proxy gets no faster, and what V8 has taken here it does not give back under load. */
const MAX_BYTES = 16 * 1024 * 1024;
const WATCH_MS = 250;

let isHeld = false;

/**
 * Keeps V8's young generation at its first size: what a start leaves behind is garbage of one moment, for which it would
 * otherwise grow to 30 MB and stay there. Called before most of a program is loaded; `releaseYoungGeneration` ends it.
 */
export function holdYoungGeneration(): void {
  isHeld = true;
  setFlagsFromString('--semi-space-growth-factor=1');
}

/** The program serves: from now on the young generation grows with its load, up to 16 MiB. */
export function releaseYoungGeneration(): void {
  if (!isHeld) return;
  isHeld = false;
  setFlagsFromString('--semi-space-growth-factor=2');
  // V8 has a limit of its own, which cannot be changed once it runs.
  const timer = setInterval(() => {
    const space = getHeapSpaceStatistics().find((each) => each.space_name === 'new_space');
    if ((space?.space_size ?? 0) < MAX_BYTES) return;
    clearInterval(timer);
    setFlagsFromString('--semi-space-growth-factor=1');
  }, WATCH_MS);
  timer.unref();
}
