import { type MessageTable, SUBJECTS, type Tables } from '@flotilla/envoy/tables';
import { type Page, replaceGenerated } from './page.ts';

/** docs/envoy-fields.md: what the data plane does with each field of Envoy's messages, read off the tables that it obeys. */
export function fieldsPage(): Page {
  return {
    file: 'docs/envoy-fields.md',
    render: (current) =>
      replaceGenerated(current, SUBJECTS.map(([title, tables]) => subject(title, tables)).join('\n\n')),
  };
}

function subject(title: string, tables: Tables): string {
  const messages = Object.entries(tables).flatMap(([name, each]) => {
    const lines = linesOf(each);
    return lines.length === 0 ? [] : [`### ${name}\n\n${lines.join('\n')}`];
  });
  return [`## ${title}`, ...messages].join('\n\n');
}

function linesOf({ honoured, hints, refused, harmless, never }: MessageTable): readonly string[] {
  return [
    ...(honoured === undefined ? [] : [`- honoured: ${namesOf(honoured)}`]),
    ...Object.entries(never ?? {}).map(([why, values]) => {
      const texts = Object.entries(values).map(([field, value]) => `\`${field}: ${value}\``);
      return `- refused: ${texts.join(', ')}; ${why}`;
    }),
    ...Object.entries(hints ?? {}).map(([why, fields]) => `- hint: ${namesOf(fields)}; ${why}`),
    ...Object.entries(refused ?? {}).map(([why, fields]) => `- refused: ${namesOf(fields, harmless)}; ${why}`),
  ];
}

/** `harmless`: values that are taken all the same. */
function namesOf(fields: string, harmless: MessageTable['harmless'] = {}): string {
  return fields
    .trim()
    .split(/\s+/)
    .map((name) => `\`${name}\`${name in harmless ? ` (but not ${harmless[name]})` : ''}`)
    .join(', ');
}
