/** A value of JSON. */
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;

/** A map of JSON. */
export type JsonObject = { [name: string]: JsonValue };

/** Whether a value that came as JSON is a map. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
