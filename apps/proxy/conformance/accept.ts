import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Pending } from './exceptions.ts';
import type { Verdict } from './judge.ts';

const FILE = join(import.meta.dirname, 'pending.yaml');

/** Adds what is not explained to pending.yaml, so that it is known what is to be done. */
export async function acceptAsPending(verdicts: readonly Verdict[]): Promise<void> {
  const text = await readFile(FILE, 'utf8');
  const comment = text.split('\n').filter((line) => line.startsWith('#'));
  // The file was read and checked when the run began.
  const entries = new Map(((parse(text) ?? []) as Pending[]).map((entry) => [entry.scenario, entry]));
  for (const verdict of verdicts) {
    const { name } = verdict.scenario;
    if (verdict.kind !== 'unexplained' || name.startsWith('generated/')) continue;
    const fields = verdict.differences.map(({ field }) => (field.startsWith('stats.') ? 'stats.*' : field));
    const differs = [...new Set([...(entries.get(name)?.differs ?? []), ...fields])];
    entries.set(name, {
      scenario: name,
      ...(verdict.message === null ? { differs } : { refused: reasonOf(verdict.message) }),
    });
  }
  const lines = [...entries.values()]
    .sort((left, right) => (left.scenario < right.scenario ? -1 : 1))
    .map((entry) => {
      const fields = Object.entries(entry).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
      return `- { ${fields.join(', ')} }`;
    });
  await writeFile(FILE, `${[...comment, ...(lines.length === 0 ? ['[]'] : lines)].join('\n')}\n`);
}

/** The part of a refusal that does not depend on the run. */
function reasonOf(message: string): string {
  const type = /unknown or unsupported type "(?:envoy\.extensions\.)?([^"]*)"/.exec(message)?.[1];
  if (type !== undefined) return type;
  return message
    .replace(/^refused by ours: /, '')
    .replace(/^.*"s\d+[^"]*": /, '')
    .slice(-90)
    .replace(/^\S* /, '');
}
