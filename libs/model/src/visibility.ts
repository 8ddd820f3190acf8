/** From which namespaces a resource can be seen. */
export interface Visibility {
  readonly everywhere: boolean;
  readonly namespaces: ReadonlySet<string>;
}

/**
 * Reads an `exportTo` list: `*` everywhere, `.` the resource's own namespace, `~` nowhere, otherwise namespace names.
 * An empty list takes `defaults` (MeshConfig's `default…ExportTo`), which itself means everywhere when empty.
 */
export function parseExportTo(
  exportTo: readonly string[],
  namespace: string,
  defaults: readonly string[] = [],
): Visibility {
  const entries = exportTo.length > 0 ? exportTo : defaults;
  if (entries.length === 0 || entries.includes('*')) return { everywhere: true, namespaces: new Set() };
  const namespaces = new Set<string>();
  for (const entry of entries) {
    if (entry === '.') namespaces.add(namespace);
    else if (entry !== '~') namespaces.add(entry);
  }
  return { everywhere: false, namespaces };
}

export function isVisibleFrom(visibility: Visibility, namespace: string): boolean {
  return visibility.everywhere || visibility.namespaces.has(namespace);
}

/** Name of the annotation that says for a Kubernetes Service what `exportTo` says for Istio's kinds. */
export const EXPORT_TO_ANNOTATION = 'networking.istio.io/exportTo';
