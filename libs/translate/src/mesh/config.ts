import { formatKey, type KnownKind, type MeshResourceOf } from '@flotilla/model';

/** A resource of one kind: immutable, replaced as a whole when it changes, so its identity stands for its content. */
export type Config<Kind extends KnownKind> = MeshResourceOf<Kind>;

type Aged = Pick<Config<KnownKind>, 'createdAtMs' | 'key'>;

/** Oldest first; resources of one instant (one apply) by namespace and name, so that the order is always the same. */
export function byAge(a: Aged, b: Aged): number {
  return (
    a.createdAtMs - b.createdAtMs ||
    compareText(a.key.namespace, b.key.namespace) ||
    compareText(a.key.name, b.key.name)
  );
}

/** Order by code units: the same on every machine, unlike `localeCompare`. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** `/apis/networking.istio.io/v1alpha3/namespaces/default/virtual-service/reviews`, as Istio marks what came of it. */
export function configPath(config: Pick<Config<KnownKind>, 'key'>): string {
  const { group, kind, namespace, name } = config.key;
  const dashed = kind.replaceAll(/(?!^)[A-Z]/g, (letter) => `-${letter}`).toLowerCase();
  return `/apis/${group}/v1alpha3/namespaces/${namespace}/${dashed}/${name}`;
}

export { formatKey };
