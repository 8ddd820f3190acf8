/** From a message to a field of it: names of fields and keys of maps, and indexes of lists. */
export type FieldPath = readonly (string | number)[];

/** `static_resources.clusters[0].connect_timeout`; a key that is no name stands as `["a.b"]`. */
export function formatPath(path: FieldPath): string {
  return path
    .map((step) => (typeof step === 'number' ? `[${step}]` : /^[\w@]+$/.test(step) ? `.${step}` : `["${step}"]`))
    .join('')
    .replace(/^\./, '');
}
