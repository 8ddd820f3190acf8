import { setFlagsFromString } from 'node:v8';

let isHeld = false;

/**
 * Keeps V8's young generation at its first size: what a start leaves behind is garbage of one moment, for which it would
 * otherwise grow to 30 MB and stay there. Called before most of a program is loaded; `releaseYoungGeneration` ends it.
 */
export function holdYoungGeneration(): void {
  isHeld = true;
  setFlagsFromString('--semi-space-growth-factor=1');
}

/** The program serves: from now on the young generation grows with its load. */
export function releaseYoungGeneration(): void {
  if (!isHeld) return;
  isHeld = false;
  setFlagsFromString('--semi-space-growth-factor=2');
}
