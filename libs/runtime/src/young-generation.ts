import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Of V8's young generation as a whole. More makes no proxy faster, as far as that can be told from noise. */
const MAX_BYTES = 8 * 1024 * 1024;

let isHeld = false;

/**
 * Keeps V8's young generation at its first size: what a start leaves behind is garbage of one moment, for which it would
 * otherwise grow to 30 MB and stay there. Called before most of a program is loaded; `releaseYoungGeneration` ends it.
 */
export function holdYoungGeneration(): void {
  isHeld = true;
  setGrowth(1);
}

/** The program serves: from now on the young generation grows with its load, until it has 8 MiB. */
export function releaseYoungGeneration(): void {
  if (!isHeld) return;
  isHeld = false;
  setGrowth(2);
  // V8's own limit cannot be changed once it runs. It grows after a collection, so each is a time to look.
  const observer = new PerformanceObserver(() => {
    const space = getHeapSpaceStatistics().find((each) => each.space_name === 'new_space');
    // It doubles.
    if (2 * (space?.space_size ?? 0) <= MAX_BYTES) return;
    observer.disconnect();
    setGrowth(1);
  });
  observer.observe({ entryTypes: ['gc'] });
}

function setGrowth(factor: 1 | 2): void {
  setFlagsFromString(`--semi-space-growth-factor=${factor}`);
}
