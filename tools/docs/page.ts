/** One page of documentation that is generated, wholly or in part. */
export interface Page {
  /** Path from the root of the repository. */
  readonly file: string;
  /** The page as it should be; `current` is what the file holds now, "" when there is none. Formatted afterwards. */
  readonly render: (current: string) => string | Promise<string>;
}

const BEGIN = '<!-- generated below by tools/docs: edit the source, then npm run generate -->';

/** Keeps what people wrote above the mark and puts `generated` in place of everything below it. */
export function replaceGenerated(current: string, generated: string): string {
  const at = current.indexOf(BEGIN);
  const written = at === -1 ? current : current.slice(0, at);
  return `${written.trimEnd()}\n\n${BEGIN}\n\n${generated}`;
}

/** A cell of a Markdown table: one line, and no bar that would end it. */
export function cell(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|').trim();
}

export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(headings), line(headings.map(() => '---')), ...rows.map(line)].join('\n');
}
