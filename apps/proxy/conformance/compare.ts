/** What one proxy made of one scenario, without what must differ. */
export interface Outcome {
  readonly client: readonly string[];
  readonly upstreams: ReadonlyMap<string, readonly string[]>;
  readonly log: readonly string[];
  readonly stats: ReadonlyMap<string, number>;
}

export interface Difference {
  /** `client`, `upstream.<name>`, `log`, or `stats.<name>`; with `.order` where only the order of fields differs. */
  readonly field: string;
  readonly envoy: string;
  readonly ours: string;
}

export function compareOutcomes(envoy: Outcome, ours: Outcome): Difference[] {
  const differences: Difference[] = [];
  const texts = (field: string, theirs: readonly string[], own: readonly string[]): void => {
    const [left, right] = [theirs.join('\n--\n'), own.join('\n--\n')];
    if (left === right) return;
    const isOrder = theirs.map(sorted).join('\n--\n') === own.map(sorted).join('\n--\n');
    differences.push({ field: isOrder ? `${field}.order` : field, envoy: left, ours: right });
  };
  texts('client', envoy.client, ours.client);
  for (const [name, seen] of envoy.upstreams) texts(`upstream.${name}`, seen, ours.upstreams.get(name) ?? []);
  texts('log', envoy.log, ours.log);
  for (const [name, value] of envoy.stats) {
    const own = ours.stats.get(name) ?? 0;
    if (own !== value) differences.push({ field: `stats.${name}`, envoy: String(value), ours: String(own) });
  }
  return differences;
}

/** A message with its fields in the order of the alphabet. */
function sorted(message: string): string {
  const all = message.split('\n');
  // A message of HTTP/2 has no start line: its pseudo fields come in any order (RFC 9113, section 8.3).
  const [start, lines] = message.startsWith(':') ? [[], all] : [all.slice(0, 1), all.slice(1)];
  const end = lines.findIndex((line) => line.startsWith('['));
  const fields = end === -1 ? lines : lines.slice(0, end);
  return [...start, ...fields.toSorted(), ...(end === -1 ? [] : lines.slice(end))].join('\n');
}

/** A difference for people: the lines that differ, with those around them. */
export function showDifference({ field, envoy, ours }: Difference): string {
  if (field.startsWith('stats.')) return `  ${field}: envoy ${envoy}, ours ${ours}`;
  const [left, right] = [envoy.split('\n'), ours.split('\n')];
  const rows = alignLines(left, right).map(([mark, line]) => `    ${mark} ${visible(line)}`);
  return [`  ${field}:`, ...rows].join('\n');
}

function visible(line: string): string {
  const shown = line.length > 400 ? `${line.slice(0, 400)}… (${line.length} characters)` : line;
  return shown.replace(/[^\x20-\x7e…]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** Longest common subsequence; `-` is only Envoy's, `+` only ours. */
function alignLines(left: readonly string[], right: readonly string[]): [' ' | '-' | '+', string][] {
  const lengths = Array.from({ length: left.length + 1 }, () => new Uint16Array(right.length + 1));
  const at = (row: number, column: number): number => lengths[row]?.[column] ?? 0;
  for (let row = left.length - 1; row >= 0; row--) {
    const cells = lengths[row];
    if (cells === undefined) continue;
    for (let column = right.length - 1; column >= 0; column--) {
      cells[column] =
        left[row] === right[column] ? at(row + 1, column + 1) + 1 : Math.max(at(row + 1, column), at(row, column + 1));
    }
  }
  const rows: [' ' | '-' | '+', string][] = [];
  let row = 0;
  let column = 0;
  while (row < left.length || column < right.length) {
    if (row < left.length && column < right.length && left[row] === right[column]) {
      rows.push([' ', left[row] ?? '']);
      row += 1;
      column += 1;
    } else if (column >= right.length || (row < left.length && at(row + 1, column) >= at(row, column + 1))) {
      rows.push(['-', left[row++] ?? '']);
    } else rows.push(['+', right[column++] ?? '']);
  }
  return rows;
}
