/** How long a property is tried, for `fc.assert`. */
export interface FuzzSettings {
  readonly numRuns: number;
  readonly seed?: number;
  readonly interruptAfterTimeLimit?: number;
}

/**
 * So many runs, the same ones each time when a seed is given. With `FLOTILLA_FUZZ_SECONDS` as many as that time brings, of
 * a seed of their own (a failure says which): `npm run fuzz`.
 */
export function fuzz(numRuns: number, seed?: number): FuzzSettings {
  const seconds = Number(process.env['FLOTILLA_FUZZ_SECONDS'] ?? 0);
  if (seconds > 0) return { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: seconds * 1_000 };
  return seed === undefined ? { numRuns } : { numRuns, seed };
}
