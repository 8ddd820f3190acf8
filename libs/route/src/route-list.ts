import type { CompiledMatch, RequestPredicate } from './request-match.ts';
import type { RoutableRequest } from './routable-request.ts';
import type { PassedOver, Route, RouteAnswer } from './route.ts';

export interface RouteEntry {
  readonly match: CompiledMatch;
  readonly route: Route;
}

interface Candidate {
  /** Place in the configuration: the first match wins. */
  readonly index: number;
  readonly matchesPath: (path: string) => boolean;
  readonly matchesRest: RequestPredicate | null;
  readonly route: Route;
  /** For those who ask why. */
  readonly match: CompiledMatch;
}

const NO_CANDIDATES: readonly Candidate[] = [];

/**
 * The routes of one virtual host. Exact paths stand in a table, everything else in order; the answer is the
 * first match of the configuration's order all the same: an exact candidate wins only over later ones.
 */
export class RouteList {
  readonly #exact = new Map<string, Candidate[]>();
  readonly #ordered: Candidate[] = [];
  readonly #connect: Candidate[] = [];

  constructor(entries: readonly RouteEntry[]) {
    entries.forEach(({ match, route }, index) => {
      const candidate = { index, matchesPath: match.matchesPath, matchesRest: match.matchesRest, route, match };
      if (match.path.kind === 'connect') this.#connect.push(candidate);
      else if (match.path.kind === 'exact' && match.path.ignoreCase !== true) {
        const known = this.#exact.get(match.path.value);
        if (known === undefined) this.#exact.set(match.path.value, [candidate]);
        else known.push(candidate);
      } else this.#ordered.push(candidate);
    });
  }

  /** As `match`, with every route of the configuration's order that was passed over before. */
  explain(request: RoutableRequest, path: string, random: number): RouteAnswer {
    const route = this.match(request, path, random);
    const candidates = [...[...this.#exact.values()].flat(), ...this.#ordered, ...this.#connect].toSorted(
      (left, right) => left.index - right.index,
    );
    const passedOver: PassedOver[] = [];
    for (const candidate of candidates) {
      if (candidate.route === route) break;
      const why = refusalOf(candidate, request, path, random);
      if (why !== null) passedOver.push({ index: candidate.index, name: candidate.route.name, why });
    }
    return { route, passedOver };
  }

  /** `path` is the request's without query. CONNECT requests have none and fit connect matchers alone. */
  match(request: RoutableRequest, path: string, random: number): Route | null {
    if (request.method === 'CONNECT') return firstOf(this.#connect, request, random)?.route ?? null;
    const exact = firstOf(this.#exact.get(path) ?? NO_CANDIDATES, request, random);
    for (const candidate of this.#ordered) {
      if (exact !== null && candidate.index > exact.index) break;
      if (candidate.matchesPath(path) && (candidate.matchesRest === null || candidate.matchesRest(request, random))) {
        return candidate.route;
      }
    }
    return exact === null ? null : exact.route;
  }
}

/** Why `match` does not take the request; null: it does. */
function refusalOf({ match }: Candidate, request: RoutableRequest, path: string, random: number): string | null {
  const isConnect = match.path.kind === 'connect';
  if (isConnect !== (request.method === 'CONNECT')) {
    return isConnect ? 'it takes CONNECT requests only' : 'it takes no CONNECT requests';
  }
  if (!match.matchesPath(path)) return `the path is not ${pathText(match.path)}`;
  const failed = match.conditions.find(({ holds }) => !holds(request, random));
  return failed === undefined ? null : `${failed.field} does not hold`;
}

function pathText(rule: CompiledMatch['path']): string {
  return rule.kind === 'connect' ? 'CONNECT' : `${rule.kind} "${rule.value}"`;
}

function firstOf(candidates: readonly Candidate[], request: RoutableRequest, random: number): Candidate | null {
  for (const candidate of candidates) {
    if (candidate.matchesRest === null || candidate.matchesRest(request, random)) return candidate;
  }
  return null;
}
