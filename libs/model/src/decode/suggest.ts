/**
 * The candidate that was probably meant: equal but for case, dashes and underscores, or at most a third of its
 * letters away. `null` when nothing is near.
 */
export function suggest(written: string, candidates: readonly string[]): string | null {
  // A longer text is no misspelling, and its distance would be costly.
  if (written.length > 64) return null;
  const folded = fold(written);
  let best: string | null = null;
  let bestDistance = Infinity;
  for (const candidate of candidates) {
    const distance = editDistance(folded, fold(candidate));
    if (distance <= Math.floor(Math.max(candidate.length, 3) / 3) && distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `suggest` as the sentence for a hint, or "" when nothing is near. */
export function didYouMean(written: string, candidates: readonly string[]): string {
  const near = suggest(written, candidates);
  return near === null ? '' : `Did you mean "${near}"?`;
}

function fold(text: string): string {
  return text.toLowerCase().replaceAll(/[-_]/g, '');
}

/** Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours each cost 1. */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let cost = Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, substitution);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (beforePrevious[j - 2] ?? 0) + 1);
      }
      current.push(cost);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length] ?? 0;
}
