/** `name: value` lines as Node takes them. */
export function fieldsOf(lines: readonly string[]): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = {};
  for (const line of lines) {
    const colon = line.indexOf(':', 1);
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1).trim();
    const before = fields[name];
    fields[name] = before === undefined ? value : [before, value].flat();
  }
  return fields;
}
