import type { FilterFactory, HttpFilter } from '../ports/http-filter.ts';
import type { ClusterChoice, Route } from '@flotilla/route';

/** The filters that do something on one route, in order. Empty on most routes of a plain proxy. */
export type FilterPlan = readonly (() => HttpFilter)[];

const NO_FILTERS: ReadonlyMap<string, unknown> = new Map();

/** Finds the plan of a route; each is made once, when its first request comes. */
export class FilterChainPlans {
  readonly #factories: readonly FilterFactory[];
  readonly #byRoute = new WeakMap<ReadonlyMap<string, unknown>, FilterPlan>();
  readonly #withoutRoute: FilterPlan;

  constructor(factories: readonly FilterFactory[]) {
    this.#factories = factories;
    this.#withoutRoute = this.#make(NO_FILTERS);
  }

  /** `choice`: the weighted cluster, whose own filter configuration goes before the route's. */
  of(route: Route | null, choice: ClusterChoice | null): FilterPlan {
    if (route === null || this.#factories.length === 0) return this.#withoutRoute;
    const perFilter = choice?.perFilter ?? route.perFilter;
    const known = this.#byRoute.get(perFilter);
    if (known !== undefined) return known;
    const plan = this.#make(perFilter);
    this.#byRoute.set(perFilter, plan);
    return plan;
  }

  #make(perFilter: ReadonlyMap<string, unknown>): FilterPlan {
    return this.#factories.map((factory) => factory.bind(perFilter.get(factory.name))).filter((open) => open !== null);
  }
}
