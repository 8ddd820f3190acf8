import { BodyLane } from './body-lane.ts';
import type { FilterStream, HttpFilter, ResponseHead } from '../ports/http-filter.ts';
import type { FilterPlan } from './filter-plan.ts';

/** The filters of one request: in order on its way in, in reverse on the response's way out. */
export class FilterRun {
  readonly request: BodyLane;
  readonly response: BodyLane;
  readonly #filters: readonly HttpFilter[];
  readonly #takesBodies: boolean;
  #next = 0;
  /** Index of the filter that sees the response next; counts down. */
  #nextOfResponse: number;

  /**
   * `takesBodies`: false for tunnels, whose bytes are no body. `onRequestHeld`, `onResponseHeld`: a filter has stopped
   * and body waits.
   */
  constructor(plan: FilterPlan, takesBodies: boolean, onRequestHeld: () => void, onResponseHeld: () => void) {
    this.#takesBodies = takesBodies;
    this.#filters = plan.map((open) => open());
    this.#nextOfResponse = this.#filters.length - 1;
    this.request = new BodyLane(onRequestHeld);
    this.response = new BodyLane(onResponseHeld);
  }

  /** Runs the request filters that are left; false when one stopped or answered. */
  advance(stream: FilterStream): boolean {
    while (this.#next < this.#filters.length) {
      const filter = this.#filters[this.#next++];
      if (filter === undefined) continue;
      const verdict = filter.onRequest?.(stream) ?? 'continue';
      if (this.#takesBodies && filter.requestBody !== undefined) {
        this.request.through((next) => filter.requestBody?.(stream, next) ?? null);
      }
      if (verdict === 'stop') return false;
    }
    return true;
  }

  /** Runs the response filters that are left; false when one stopped. */
  respond(stream: FilterStream, head: ResponseHead): boolean {
    while (this.#nextOfResponse >= 0) {
      const filter = this.#filters[this.#nextOfResponse--];
      if (filter === undefined) continue;
      const verdict = filter.onResponse?.(stream, head) ?? 'continue';
      if (this.#takesBodies && filter.responseBody !== undefined) {
        this.response.through((next) => filter.responseBody?.(stream, next) ?? null);
      }
      if (verdict === 'stop') return false;
    }
    return true;
  }

  end(): void {
    for (const filter of this.#filters) filter.onEnd?.();
  }
}
