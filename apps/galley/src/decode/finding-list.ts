import { moreFinding } from '@flotilla/model';
import type { Finding } from '@flotilla/model';
import { limit } from '@flotilla/runtime';

const MAX_FINDINGS = limit({
  name: 'galley.findings',
  what: 'findings told of the documents of one call, or of one file',
  default: 1_000,
  unit: 'count',
  past: 'counted: "and N more"',
});

/** Names told of one list in an answer, such as documents that mean nothing to a mesh. */
export const MAX_NAMES = limit({
  name: 'galley.names',
  what: 'names in one list of an answer, such as documents that mean nothing to a mesh',
  default: 1_000,
  unit: 'count',
  past: 'counted: "and N more"',
});

/** Findings of one answer: the first of them, and the number of the others. */
export class FindingList {
  readonly #told: Finding[] = [];
  readonly #omitted = { errors: 0, warnings: 0 };

  add(findings: Iterable<Finding>): void {
    for (const finding of findings) {
      if (this.#told.length < MAX_FINDINGS) this.#told.push(finding);
      else if (finding.severity === 'error') this.#omitted.errors += 1;
      else this.#omitted.warnings += 1;
    }
  }

  all(): readonly Finding[] {
    const [first] = this.#told;
    const { errors, warnings } = this.#omitted;
    if (first === undefined || errors + warnings === 0) return this.#told;
    const origin = { source: first.origin.source, line: 0, column: 0 };
    return [...this.#told, moreFinding(this.#omitted, null, origin, 'in these documents')];
  }
}

/** The names that are told of `count`, and how many more there are. */
export function withMore(names: readonly string[], count: number): readonly string[] {
  return count > names.length ? [...names, `and ${count - names.length} more`] : names;
}
