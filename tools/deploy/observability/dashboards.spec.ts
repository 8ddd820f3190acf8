import { globSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../../..');
const sources = globSync(join(root, '{apps,libs}/*/src/**/*.ts'), {
  exclude: (path) => /\.spec\.ts$|node_modules/.test(path),
})
  .map((path) => readFileSync(path, 'utf8'))
  .join('\n');
// PromQL's own words, and what Prometheus adds to every target.
const WORDS = new Set(['sum', 'rate', 'by', 'histogram_quantile', 'le', 'job', 'instance', 'up']);

interface Dashboard {
  readonly uid: string;
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly targets: readonly { readonly expr: string }[];
  }[];
}

/** Names of metrics and of labels in an expression; values of labels are not names. */
function namesIn(expression: string): string[] {
  return (expression.replaceAll(/"[^"]*"|\[\w+\]/g, '').match(/[a-z_]\w*/g) ?? []).filter((name) => !WORDS.has(name));
}

function isInCode(name: string): boolean {
  const family = name.replace(/_(bucket|count|sum)$/, '');
  const isWord = (word: string) => new RegExp(`\\b${word.replaceAll('.', '\\.')}\\b`).test(sources);
  // Envoy's statistics are written as `server.memory_allocated`.
  return isWord(family) || (family.startsWith('envoy_') && isWord(family.replace('envoy_', '').replace('_', '.')));
}

describe.each(globSync(join(root, 'deploy/grafana/dashboards/*.json')).map((path) => [basename(path), path] as const))(
  '%s',
  (_, path) => {
    // The checks below fail for anything else.
    const dashboard = JSON.parse(readFileSync(path, 'utf8')) as Dashboard;

    it('has an id of its own for itself and each panel', () => {
      expect(dashboard.uid).toMatch(/^flotilla-/);
      expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    });

    it.each(dashboard.panels.map((panel) => [panel.title, panel] as const))(
      '%s: asks for metrics and labels that we have',
      (__, panel) => {
        const names = panel.targets.flatMap(({ expr }) => namesIn(expr));
        expect(names.filter((name) => !isInCode(name))).toEqual([]);
      },
    );
  },
);

it('the check finds a metric that nobody has', () => {
  expect(
    namesIn('sum by (le) (rate(istio_requests_totals{reporter="x"}[1m]))').filter((name) => !isInCode(name)),
  ).toEqual(['istio_requests_totals']);
});
