import { TABLES, verdictsOf } from '@flotilla/envoy/tables';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { isLike, type KnownDifference, type Pending } from '../../apps/proxy/conformance/exceptions.ts';
import { loadScenarios } from '../../apps/proxy/conformance/load.ts';
import type { Scenario } from '../../apps/proxy/conformance/scenario.ts';
import { type Page, replaceGenerated, table } from './page.ts';
import { ELSEWHERE, NOT_BUILT, type NotBuilt } from './rows-elsewhere.ts';

/** What the rows of the capability table are called. */
const TITLES: Readonly<Record<string, string>> = {
  A1: 'Path match',
  A2: 'Method, scheme, authority and query match',
  A3: 'Header match',
  A4: 'Routes by JWT claims',
  A6: 'First match wins, named routes',
  A7: 'Weighted split',
  A9: 'Redirect and direct response',
  A10: 'Rewrite',
  A11: 'Header edits',
  A12: 'Request time-out',
  A13: 'Retries',
  A14: 'Fault injection',
  A15: 'Mirror',
  A16: 'CORS',
  A18: 'Hosts and wildcards',
  A20: 'SNI routing of unterminated TLS',
  A21: 'TCP routing',
  A22: 'gRPC routing and load balancing',
  A23: 'WebSocket, Upgrade, CONNECT',
  A24: 'REST to gRPC',
  B1: 'Subsets',
  B3: 'Load balancing',
  B4: 'Consistent hash',
  B5: 'Slow start',
  B6: 'Locality load balancing',
  B7: 'Connection pool, TCP',
  B8: 'Connection pool, HTTP',
  B9: 'Outlier detection',
  B10: 'TLS origination',
  B12: 'Retry budget',
  B13: 'TCP tunnel, PROXY protocol out, sticky sessions',
  C2: 'TLS termination and hot certificate reload',
  C3: 'Client-certificate modes',
  C4: 'SNI passthrough',
  C5: 'East-west gateways by SNI',
  C7: 'Client address and certificate header trust',
  D9: 'Protocol by port name',
  D10: 'Protocol sniffing, server-first safety',
  F7: 'JWT validation',
  F8: 'AuthorizationPolicy actions and their order',
  F10: 'Dry run of policy',
  F11: 'External authoriser',
  F13: 'Path normalisation',
  F14: 'TLS floor of the mesh',
  G10: 'Rate limit, local',
  G11: 'Rate limit, global',
  V1: 'Discovery',
  V2: 'Dynamic forward proxy',
  V3: 'Least request, round robin, random, weights',
  V4: 'Ring hash, Maglev, hash policies',
  V5: 'Priorities, locality weights, panic',
  V6: 'Slow start, zones, sticky sessions',
  V7: 'Further balancers and subsets',
  V8: 'Active health checks',
  V9: 'Outlier detection',
  V10: 'Success-rate and failure-percentage ejection',
  V11: 'Circuit breakers',
  V12: 'Connection pools',
  V13: 'Choice of protocol',
  V14: 'Retry conditions, HTTP',
  V15: 'Retry conditions, gRPC',
  V16: 'Retry predicates and back-off',
  V17: 'Retry-After and retry headers',
  V18: 'Time-outs',
  V19: 'Request and header time-outs, delayed close',
  V20: 'Hedging',
  V21: 'HTTP/1 framing',
  V22: 'HTTP/1.0 and header case',
  V23: 'HTTP/2',
  V24: 'gRPC',
  V25: 'gRPC transcoding and bridges',
  V26: 'Upgrades and CONNECT',
  V28: 'Path normalisation',
  V29: 'Edge headers',
  V30: 'Routes',
  V31: 'Internal redirects and on-demand routes',
  V32: 'Header formatters and mutations',
  V33: 'Listeners and filter chains',
  V34: 'Listener filters',
  V35: 'TCP proxy, SNI cluster, connection limits',
  V36: 'Network RBAC and rate limits',
  V39: 'TLS',
  V41: 'RBAC',
  V42: 'JWT',
  V43: 'External authorisation',
  V44: 'CORS and fault filters',
  V45: 'CSRF, OAuth2, basic authentication',
  V46: 'Rate limits',
  V48: 'Buffer and compression',
  V51: 'Access-log operators',
  V52: 'Response flags and details',
  V53: 'Access-log filters',
  V54: 'Statistics',
  V57: 'Bootstrap and runtime',
  V58: 'Administration pages',
  V60: 'Drain',
  V62: 'Overload limits',
  V63: 'Filter order',
};

/** docs/compatibility.md: how the data plane compares with Envoy, row by row, from the scenarios that judge it. */
export function compatibilityPage(root: string): Page {
  return {
    file: 'docs/compatibility.md',
    async render(current) {
      const scenarios = await loadScenarios();
      const pending = read<Pending>(root, 'pending.yaml');
      const known = read<KnownDifference>(root, 'known-differences.yaml').filter(({ scenario }) => scenario !== '*');
      const rows = [...new Set(scenarios.flatMap((scenario) => scenario.rows))].sort(byRow);
      const body = rows.map((row) => rowOf(row, scenarios, pending, known));
      const shown = ELSEWHERE.map(([row, title, tests]) => [
        row,
        title,
        tests.map((test) => linkTo(test, root)).join(', '),
      ]);
      return replaceGenerated(
        current,
        [
          table(['row', 'capability', 'equal', 'on purpose', 'not yet', 'what is not yet'], body),
          'Shown by tests of their own:',
          table(['row', 'capability', 'tests'], shown),
          'Not built; a configuration that asks for it is refused by the name of the field:',
          table(
            ['row', 'capability', 'refused'],
            NOT_BUILT.map((each) => [each.row, each.title, refusedOf(each)]),
          ),
        ].join('\n\n'),
      );
    },
  };
}

function rowOf(
  row: string,
  scenarios: readonly Scenario[],
  pending: readonly Pending[],
  known: readonly KnownDifference[],
): string[] {
  const own = scenarios.filter((scenario) => scenario.rows.includes(row));
  const isLate = ({ name }: Scenario) => pending.some(({ scenario }) => scenario !== '*' && isLike(scenario, name));
  const late = own.filter(isLate);
  const meant = own.filter((each) => !isLate(each) && known.some(({ scenario }) => isLike(scenario, each.name)));
  const what = late.map(({ name }) => {
    const isRefused = pending.some(({ scenario, refused }) => refused !== undefined && isLike(scenario, name));
    return `${name.slice(name.indexOf('/') + 1)} (${isRefused ? 'refused' : 'differs'})`;
  });
  const equal = own.length - late.length - meant.length;
  const title = TITLES[row];
  if (title === undefined) throw new Error(`docs/compatibility.md: row ${row} of a scenario has no title`);
  return [row, title, String(equal), String(meant.length), String(late.length), what.join(', ')];
}

/** Throws when a field is not refused: the page must not say so of one that is honoured. */
function refusedOf({ row, fields, otherwise }: NotBuilt): string {
  const names = fields.map((each) => {
    const [message = '', field = ''] = each.split(' ');
    if (verdictsOf(TABLES[message] ?? {}).get(field)?.verdict !== 'refused') {
      throw new Error(`docs/compatibility.md: ${each} of row ${row} is not refused`);
    }
    return `\`${field}\``;
  });
  return [...names, ...(otherwise === '' ? [] : [otherwise])].join(', ');
}

/** Throws when the test is not there: the page must not name one that is gone. */
function linkTo(test: string, root: string): string {
  if (!existsSync(join(root, test))) throw new Error(`docs/compatibility.md names ${test}, which does not exist`);
  return `[${basename(test)}](../${test})`;
}

function read<T>(root: string, name: string): readonly T[] {
  // Both files are checked by the runner, entry by entry.
  return (parse(readFileSync(join(root, 'apps/proxy/conformance', name), 'utf8')) ?? []) as readonly T[];
}

/** By letter, then by number. */
function byRow(a: string, b: string): number {
  const letter = a.charCodeAt(0) - b.charCodeAt(0);
  return letter === 0 ? Number(a.slice(1)) - Number(b.slice(1)) : letter;
}
