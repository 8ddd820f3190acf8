import type { KnownKind } from '@flotilla/model';
import { type Bindings, bindingsOf } from '../registry/bindings.ts';
import { emptyRegistry, type Registry, reuse, updateRegistry } from '../registry/registry.ts';
import type { Config } from './config.ts';
import { flattenDelegates } from './delegates.ts';
import type { ResourceChange } from './kind-lists.ts';
import type { MeshSettings } from './settings.ts';

/** The resources of a mesh by kind, in order of age. */
export type OfKind = <Kind extends KnownKind>(kind: Kind) => readonly Config<Kind>[];

/** A part of the mesh. It is made anew when a resource of its kinds changes, and otherwise stays the same object. */
interface MeshPart<Value> {
  readonly kinds: readonly KnownKind[];
  /** Of a mesh without resources. */
  empty(): Value;
  /**
   * Looks at resources of `kinds` only. What is the same as in `previous` keeps its identity. `changes` led from what that
   * was built from to what it is built from now; `null`: anything may have changed, the settings too.
   */
  build(ofKind: OfKind, settings: MeshSettings, previous: Value, changes: readonly ResourceChange[] | null): Value;
}

const part = <Value>(definition: MeshPart<Value>): MeshPart<Value> => definition;

/** All resources of a kind, as they are. */
const listOf = <Kind extends KnownKind>(kind: Kind) =>
  part<readonly Config<Kind>[]>({ kinds: [kind], empty: () => [], build: (ofKind) => ofKind(kind) });

const podMakers = (ofKind: OfKind) => [...ofKind('Deployment'), ...ofKind('StatefulSet'), ...ofKind('DaemonSet')];

/** What a mesh is made of: a kind that proxies are to know of is named here, and nowhere else in this room. */
export const MESH_PARTS = {
  /** With the rules of those that they delegate to in their place. */
  virtualServices: part<readonly Config<'VirtualService'>[]>({
    kinds: ['VirtualService'],
    empty: () => [],
    build: (ofKind, settings) => flattenDelegates(ofKind('VirtualService'), settings),
  }),
  destinationRules: listOf('DestinationRule'),
  gateways: listOf('Gateway'),
  sidecars: listOf('Sidecar'),
  peerAuthentications: listOf('PeerAuthentication'),
  workloadEntries: listOf('WorkloadEntry'),
  /** Which workloads there are, and what their proxies may be. */
  bindings: part<Bindings>({
    kinds: ['WorkloadGroup', 'Deployment', 'StatefulSet', 'DaemonSet', 'Pod'],
    empty: () => new Map(),
    build: (ofKind, _settings, previous) =>
      reuse(
        previous,
        bindingsOf({
          workloadGroups: ofKind('WorkloadGroup'),
          podMakers: podMakers(ofKind),
          pods: ofKind('Pod'),
        }),
      ),
  }),
  registry: part<Registry>({
    kinds: [
      ...(['Service', 'Deployment', 'StatefulSet', 'DaemonSet', 'Pod'] as const),
      ...(['ServiceEntry', 'WorkloadEntry', 'PeerAuthentication'] as const),
    ],
    empty: () => emptyRegistry,
    build: (ofKind, settings, previous, changes) =>
      updateRegistry(
        previous,
        {
          services: ofKind('Service'),
          pods: [ofKind('Deployment'), ofKind('StatefulSet'), ofKind('DaemonSet'), ofKind('Pod')],
          serviceEntries: ofKind('ServiceEntry'),
          workloadEntries: ofKind('WorkloadEntry'),
          peerAuthentications: ofKind('PeerAuthentication'),
        },
        changes,
        settings,
      ),
  }),
} as const;

export type MeshParts = {
  readonly [Name in keyof typeof MESH_PARTS]: ReturnType<(typeof MESH_PARTS)[Name]['empty']>;
};

export function emptyParts(): MeshParts;
export function emptyParts(): unknown {
  return Object.fromEntries(Object.entries(MESH_PARTS).map(([name, { empty }]) => [name, empty()]));
}

/** The parts after changes of resources; `null`: all of them are built anew. */
export function rebuildParts(
  previous: MeshParts,
  changes: readonly ResourceChange[] | null,
  ofKind: OfKind,
  settings: MeshSettings,
): MeshParts;
export function rebuildParts(
  previous: Readonly<Record<string, unknown>>,
  changes: readonly ResourceChange[] | null,
  ofKind: OfKind,
  settings: MeshSettings,
): unknown {
  const parts: Readonly<Record<string, Pick<MeshPart<unknown>, 'kinds' | 'build'>>> = MESH_PARTS;
  const changedKinds = new Set(changes?.map(({ before, after }) => (before ?? after)?.type));
  return Object.fromEntries(
    Object.entries(parts).map(([name, { kinds, build }]) => [
      name,
      changes === null || kinds.some((kind) => changedKinds.has(kind))
        ? build(ofKind, settings, previous[name], changes)
        : previous[name],
    ]),
  );
}
