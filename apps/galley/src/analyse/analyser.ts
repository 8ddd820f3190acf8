import { isOfType } from '@flotilla/model';
import type { AnyMeshResource, Fault, FieldPath, KnownKind, MeshResourceOf, ResourceKey } from '@flotilla/model';
import type { HostIndex } from '../set/host-index.ts';
import type { MeshSet } from '../set/mesh-set.ts';
import type { NameTable, ResourceIndex } from '../set/resource-index.ts';

/** Something wrong between resources. */
export interface CrossFault {
  /** Path and position are those of the resource that was analysed. */
  readonly fault: Fault;
  /** Other resources that a change of could have brought this about, in lists that other faults may share. */
  readonly causes: readonly (readonly ResourceKey[])[];
}

/** What an index of any kinds is to those who ask for names alone. */
export interface NamedResources<Table> {
  namesOf(resource: AnyMeshResource): readonly string[];
  in(set: MeshSet): Table;
}

/**
 * What an analyser looks at beside the resource itself: those that go by the names which the resource gives. From this it
 * follows which resources a change makes worth looking at again.
 */
export interface Reading<Kind extends KnownKind, Found> {
  /** The names that a resource gives, and who gives which. */
  readonly named: ResourceIndex<Kind, HostIndex>;
  /** Where they are looked up. */
  readonly among: NamedResources<Found>;
  /** Fields of the resource that a fault may point at: their positions are kept when the text is gone. */
  fieldsOf(resource: MeshResourceOf<Kind>): readonly FieldPath[];
}

/** What the readings of an analyser found, by their names. */
export type Findings<Reads> = {
  readonly [Name in keyof Reads]: Reads[Name] extends { readonly among: NamedResources<infer Table> }
    ? Omit<Table, keyof NameTable<never>>
    : never;
};

export interface AnalyserDefinition<Kind extends KnownKind, Reads> {
  /** Of the resources that are judged. */
  readonly kind: Kind;
  /** All that it looks at beside them. */
  readonly reads: Reads;
  /** It says nothing of some documents alone: what is missing there may be elsewhere in the mesh. */
  readonly needsWholeMesh: boolean;
  /** Judges one resource. Synchronous, and bounded by what the resource names. */
  analyse(
    resource: MeshResourceOf<Kind>,
    found: Findings<Reads>,
    scope: { readonly isWholeMesh: boolean },
  ): readonly CrossFault[];
}

export interface AnalysisScope {
  readonly set: MeshSet;
  /** False when `set` holds only some documents of a mesh: what is missing may then be elsewhere. */
  readonly isWholeMesh: boolean;
}

/** An analyser as those see it who run them all. */
export interface Analyser {
  readonly kind: KnownKind;
  /** Nothing for a resource of another kind. */
  analyse(resource: AnyMeshResource, scope: AnalysisScope): readonly CrossFault[];
  /** Keys of the resources that look at one of `changed`, which came, went, or are others now. */
  affectedBy(changed: readonly AnyMeshResource[], set: MeshSet): Iterable<string>;
  fieldsOf(resource: AnyMeshResource): readonly FieldPath[];
}

/** Joins the parts. What `analyse` is given is what `reads` declares, so that nothing else can count. */
export function defineAnalyser<
  Kind extends KnownKind,
  Reads extends Readonly<Record<string, Reading<Kind, NameTable<never>>>>,
>({ kind, reads, needsWholeMesh, analyse }: AnalyserDefinition<Kind, Reads>): Analyser {
  const readings = Object.values(reads);
  return {
    kind,
    analyse(resource, { set, isWholeMesh }) {
      if (!isOfType(resource, kind) || (needsWholeMesh && !isWholeMesh)) return [];
      return analyse(resource, lookUp(reads, set), { isWholeMesh });
    },
    affectedBy: (changed, set) =>
      readings.flatMap(({ named, among }) => {
        const names = new Set(changed.flatMap((resource) => among.namesOf(resource)));
        return names.size === 0 ? [] : [...named.in(set).coveredByAny(names)];
      }),
    fieldsOf: (resource) => (isOfType(resource, kind) ? readings.flatMap((reading) => reading.fieldsOf(resource)) : []),
  };
}

type Readings = Readonly<Record<string, { readonly among: NamedResources<NameTable<never>> }>>;

/** The tables of each reading, by its name. */
function lookUp<Reads extends Readings>(reads: Reads, set: MeshSet): Findings<Reads>;
function lookUp(reads: Readings, set: MeshSet): unknown {
  return Object.fromEntries(Object.entries(reads).map(([name, { among }]) => [name, among.in(set)]));
}
