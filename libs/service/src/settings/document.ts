import { flagOf, type SettingsTable, variableOf } from './read.ts';
import type { Setting } from './setting.ts';

/** The table as text for `--help`. */
export function settingsHelp(name: string, summary: string, table: SettingsTable): string {
  const rows = Object.entries(table).map(([key, setting]) => [
    `${flagOf(key)}${setting.form === null ? '' : ` <${setting.form}>`}`,
    `${setting.description}${whenAbsent(setting, (word) => word)}`,
  ]);
  const width = Math.min(40, Math.max(...rows.map(([option = '']) => option.length)));
  const lines = rows.map(([option = '', meaning]) => `  ${option.padEnd(width)}  ${meaning}`);
  return [
    `${name}: ${summary}`,
    '',
    'Each option has a variable as well: --some-name is FLOTILLA_SOME_NAME. An option may stand several times where its',
    'variable takes a list; the variable separates by commas.',
    '',
    ...lines,
    '',
  ].join('\n');
}

/** The table as Markdown. */
export function settingsMarkdown(table: SettingsTable): string {
  const rows = Object.entries(table).map(([key, setting]) => {
    const form = setting.form === null ? '' : ` <${setting.form}>`;
    const meaning = `${setting.description}${whenAbsent(setting, (word) => `\`${word}\``)}`;
    return [`\`${flagOf(key)}${form}\``, `\`${variableOf(key)}\``, meaning].map(cell);
  });
  const table_ = [['option', 'variable', 'meaning'], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...table_.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) => `| ${row.map((text, at) => text.padEnd(widths[at] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = table_;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}

function whenAbsent(setting: Setting<unknown>, quote: (word: string) => string): string {
  const several = setting.isList ? '; may be repeated' : '';
  if (setting.standard !== null) return `${several}; default ${quote(setting.standard)}`;
  return setting.whenAbsent === 'required' ? `${several}; required` : several;
}

/** A bar would end the cell. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
