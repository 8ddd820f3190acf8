import { type AnyMeshResource, describeKey, formatOrigin } from '@flotilla/model';
import type { Logger } from '@flotilla/observe';
import type { Clock } from '@flotilla/runtime';
import { applyUpdate, type Mesh, type ProxyNode } from '@flotilla/translate';
import type { XdsShortName } from '@flotilla/xds';
import { type Refusal, type Suspect, suspectsOf } from './suspects.ts';

/** A resource that data planes of one kind do not get as it is. */
export interface Withheld {
  /** Kind of data plane: `envoy/1.40.0`. */
  readonly agent: string;
  /** The version that was refused. */
  readonly resource: AnyMeshResource;
  /** What they get in its place; `null`: it is left out. */
  readonly lastGood: AnyMeshResource | null;
  readonly type: XdsShortName;
  /** The data plane's words. */
  readonly reason: string;
  readonly sinceMs: number;
  /** It is held back while it is being found out which of several is to blame. */
  readonly isSuspected: boolean;
}

/**
 * Data planes that are taken to refuse the same: those of one program and version. Of one namespace, since what a data
 * plane says of itself must not take configuration from others' namespaces.
 */
export type DataPlaneKind = Pick<ProxyNode, 'agent' | 'namespace'>;

export function isSameKind(a: DataPlaneKind, b: DataPlaneKind): boolean {
  return keyOf(a) === keyOf(b);
}

function keyOf({ agent, namespace }: DataPlaneKind): string {
  return `${namespace}/${agent}`;
}

/** Resources to be tried together. */
interface Group {
  readonly type: XdsShortName;
  readonly ids: ReadonlySet<string>;
}

interface KindState {
  readonly withheld: Map<string, Withheld>;
  /** Suspects, in groups of which each is to be shown to one data plane. */
  readonly groups: Group[];
  trial: (Group & { readonly by: object; readonly meshes: WeakSet<Mesh> }) | null;
  derived: WeakMap<Mesh, Mesh>;
}

export interface IsolationOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The mesh of a kind of data planes changed: they are to be looked at again. */
  readonly onChange: (kind: DataPlaneKind) => void;
}

/**
 * Keeps one bad resource from holding the others back. When a data plane refuses a response:
 *
 * 1. what may be to blame (`suspects`) is withheld from the data planes of its kind; everything else moves on
 * 2. when that is several, one data plane that took the rest is shown half of them at a time: what it takes is released,
 *    of what it refuses the halves are tried, until those are left that are refused by themselves
 * 3. a withheld resource comes back when it is written anew
 */
export class Isolation {
  readonly #options: IsolationOptions;
  readonly #kinds = new Map<string, KindState>();

  constructor(options: IsolationOptions) {
    this.#options = options;
  }

  /** The mesh for one data plane, `by` which it is known here: without what its kind refuses. */
  meshFor(kind: DataPlaneKind, by: object, mesh: Mesh): Mesh {
    const state = this.#kinds.get(keyOf(kind));
    if (state === undefined) return mesh;
    this.#forgetRewritten(kind, state, mesh);
    const { trial } = state;
    if (trial?.by === by) {
      const shown = derive(mesh, state.withheld, trial.ids);
      trial.meshes.add(shown);
      return shown;
    }
    const known = state.derived.get(mesh) ?? derive(mesh, state.withheld, new Set());
    state.derived.set(mesh, known);
    return known;
  }

  /** A response was refused. False when nothing can be done about it. */
  refused(kind: DataPlaneKind, by: object, type: XdsShortName, refusal: Refusal): boolean {
    const suspects = suspectsOf(refusal);
    if (suspects.length === 0) return false;
    const state = this.#stateOf(kind);
    if (state.trial?.by === by) state.trial = null;
    for (const suspect of suspects) this.#withhold(kind, state, type, suspect, refusal.message, suspects.length > 1);
    const ids = suspects.map(({ id }) => id);
    if (ids.length > 1) state.groups.push(...halves(type, ids));
    this.#changed(kind, state);
    return true;
  }

  /** A data plane holds all that is offered of a type. */
  accepted(kind: DataPlaneKind, by: object, type: XdsShortName, mesh: Mesh): void {
    const state = this.#kinds.get(keyOf(kind));
    if (state === undefined) return;
    const { trial } = state;
    if (trial !== null) {
      if (trial.by !== by || trial.type !== type || !trial.meshes.has(mesh)) return;
      for (const id of trial.ids) state.withheld.delete(id);
      state.trial = null;
      this.#changed(kind, state);
    }
    this.#tryNext(kind, state, by, type);
  }

  /** A stream ended: what was to be tried on it is tried on another. */
  closed(kind: DataPlaneKind, by: object): void {
    const state = this.#kinds.get(keyOf(kind));
    if (state?.trial?.by !== by) return;
    state.groups.unshift(state.trial);
    state.trial = null;
  }

  list(): readonly Withheld[] {
    return [...this.#kinds.values()].flatMap(({ withheld }) => [...withheld.values()]);
  }

  #tryNext(kind: DataPlaneKind, state: KindState, by: object, type: XdsShortName): void {
    const index = state.groups.findIndex((group) => group.type === type);
    const [group] = index === -1 ? [] : state.groups.splice(index, 1);
    if (group === undefined) return;
    const ids = new Set([...group.ids].filter((id) => state.withheld.get(id)?.isSuspected === true));
    if (ids.size === 0) return this.#tryNext(kind, state, by, type);
    state.trial = { type, ids, by, meshes: new WeakSet() };
    this.#changed(kind, state);
  }

  #withhold(
    kind: DataPlaneKind,
    state: KindState,
    type: XdsShortName,
    { id, resource, lastGood }: Suspect,
    reason: string,
    isSuspected: boolean,
  ): void {
    const { clock, logger } = this.#options;
    const known = state.withheld.get(id);
    // Its last good version is from before it was first held back.
    const kept = known === undefined ? lastGood : known.lastGood;
    const sinceMs = known?.sinceMs ?? clock.now();
    state.withheld.set(id, { agent: kind.agent, resource, lastGood: kept, type, reason, sinceMs, isSuspected });
    if (isSuspected) return;
    const consequence = kept === null ? 'it is left out' : `its version ${kept.resourceVersion} stays`;
    logger.error(`${kind.agent} in ${kind.namespace} refuses ${describeKey(resource.key)}: ${consequence}`, {
      resource: describeKey(resource.key),
      origin: formatOrigin(resource.origin),
      type,
      reason,
    });
  }

  /** What was written anew since it was refused, or is gone, has its chance. */
  #forgetRewritten(kind: DataPlaneKind, state: KindState, mesh: Mesh): void {
    for (const [id, { resource }] of state.withheld) {
      if (mesh.resources.get(id)?.resourceVersion === resource.resourceVersion) continue;
      state.withheld.delete(id);
      state.derived = new WeakMap();
      this.#options.logger.info(`${describeKey(resource.key)} is tried again on ${kind.agent}`);
    }
  }

  #changed(kind: DataPlaneKind, state: KindState): void {
    state.derived = new WeakMap();
    this.#options.onChange(kind);
  }

  #stateOf(kind: DataPlaneKind): KindState {
    const state = this.#kinds.get(keyOf(kind)) ?? {
      withheld: new Map(),
      groups: [],
      trial: null,
      derived: new WeakMap(),
    };
    this.#kinds.set(keyOf(kind), state);
    return state;
  }
}

function halves(type: XdsShortName, ids: readonly string[]): Group[] {
  const half = Math.ceil(ids.length / 2);
  return [ids.slice(0, half), ids.slice(half)].map((some) => ({ type, ids: new Set(some) }));
}

/** The mesh with last good versions in the place of what is withheld, but for what is shown. */
function derive(mesh: Mesh, withheld: ReadonlyMap<string, Withheld>, shown: ReadonlySet<string>): Mesh {
  const hidden = [...withheld].filter(([id]) => !shown.has(id)).map(([, each]) => each);
  if (hidden.length === 0) return mesh;
  return applyUpdate(mesh, {
    version: mesh.version,
    isSnapshot: false,
    changes: hidden.map(({ resource, lastGood }) => ({ key: resource.key, resource: lastGood })),
  });
}
