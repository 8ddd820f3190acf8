import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { declaredLimits, type Limit } from '@flotilla/runtime';
import { type Page, replaceGenerated, table } from './page.ts';

/** docs/limits.md: every bound on what a peer, a file or a caller controls, from the modules that enforce them. */
export function limitsPage(root: string): Page {
  return {
    file: 'docs/limits.md',
    async render(current) {
      let calls = 0;
      for (const [file, own] of declaringFiles(root)) {
        await import(pathToFileURL(file).href);
        calls += own;
      }
      const limits = [...declaredLimits()].sort((a, b) => (a.name < b.name ? -1 : 1));
      const twice = limits.find(({ name }, at) => name === limits[at + 1]?.name);
      if (twice !== undefined) throw new Error(`two limits are called ${twice.name}: give one another name`);
      if (limits.length !== calls) throw new Error('a limit is declared within a function: move it to its module');
      const parts = [...Map.groupBy(limits, ({ name }) => name.slice(0, name.indexOf('.')))];
      return replaceGenerated(current, parts.map(([part, own]) => section(part, own)).join('\n\n'));
    },
  };
}

/** Modules that call `limit`, and how often. */
function declaringFiles(root: string): [string, number][] {
  return globSync('{apps,libs}/*/src/**/*.ts', { cwd: root })
    .filter((file) => !file.endsWith('.spec.ts'))
    .sort()
    .map((file): [string, number] => {
      const path = join(root, file);
      return [path, readFileSync(path, 'utf8').match(/^[^*\n]*[=:] limit\(\{/gm)?.length ?? 0];
    })
    .filter(([, calls]) => calls > 0);
}

function section(part: string, limits: readonly Limit[]): string {
  const rows = limits.map((one) => [
    `\`${one.name}\``,
    one.what,
    amount(one),
    one.setting === undefined ? 'fixed' : one.setting,
    one.past,
  ]);
  return `## ${part}\n\n${table(['limit', 'what', 'default', 'setting', 'past it'], rows)}`;
}

function amount({ default: value, unit }: Limit): string {
  switch (unit) {
    case 'bytes':
      return bytes(value);
    case 'ms':
      return duration(value);
    case 'count':
      return value.toLocaleString('en');
    default:
      return `${value.toLocaleString('en')} ${unit}`;
  }
}

function bytes(value: number): string {
  const power = value >= 1 << 20 && value % (1 << 18) === 0 ? 2 : value >= 1 << 10 && value % (1 << 8) === 0 ? 1 : 0;
  return `${(value / 1024 ** power).toLocaleString('en')} ${['bytes', 'KiB', 'MiB'][power]}`;
}

function duration(ms: number): string {
  if (ms % 86_400_000 === 0) return `${ms / 86_400_000} d`;
  return ms % 1000 === 0 ? `${ms / 1000} s` : `${ms} ms`;
}
