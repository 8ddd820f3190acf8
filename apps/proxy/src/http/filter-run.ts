import type { HeaderList } from '@flotilla/http-codec';
import type { FilterStream, HttpFilter } from './filter.ts';
import type { FilterPlan } from './filter-plan.ts';

/** The filters of one request: in order on its way in, in reverse on the response's way out. */
export class FilterRun {
  readonly #filters: readonly HttpFilter[];
  #next = 0;

  constructor(plan: FilterPlan) {
    this.#filters = plan.map((open) => open());
  }

  /** Runs the filters that are left; false when one stopped or answered. */
  advance(stream: FilterStream): boolean {
    while (this.#next < this.#filters.length) {
      const filter = this.#filters[this.#next++];
      if (filter === undefined || filter.onRequest === null) continue;
      if (filter.onRequest(stream) === 'stop') return false;
    }
    return true;
  }

  respond(stream: FilterStream, headers: HeaderList): void {
    for (let index = this.#filters.length - 1; index >= 0; index--) this.#filters[index]?.onResponse?.(stream, headers);
  }

  end(): void {
    for (const filter of this.#filters) filter.onEnd?.();
  }
}
