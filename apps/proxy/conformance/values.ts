/** A value as it stands in a YAML file. */
export type Value = null | boolean | number | string | readonly Value[] | Fields;
export interface Fields {
  readonly [field: string]: Value;
}
