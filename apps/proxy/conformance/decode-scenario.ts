import { isNode, LineCounter, parseDocument } from 'yaml';
import { decodeSteps } from './decode-steps.ts';
import { decodeUpstreams } from './decode-upstreams.ts';
import { type Place, ScenarioError, Reader } from './read-fields.ts';
import type { Scenario } from './scenario.ts';

/** Decodes the text of a scenario. Throws `ScenarioError` with `file:line` for the first thing that is not known. */
export function decodeScenario(text: string, file: string, name: string): Scenario {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true });
  const lineOf = (place: Place): number => {
    for (let length = place.length; length > 0; length--) {
      const node = document.getIn(place.slice(0, length), true);
      if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
    }
    return 1;
  };
  const [syntax] = document.errors;
  if (syntax !== undefined) throw new ScenarioError(file, lines.linePos(syntax.pos[0]).line, syntax.message);
  const json: unknown = document.toJS({ maxAliasCount: 100 });
  return decodeFields(new Reader(json, [], (place, message) => new ScenarioError(file, lineOf(place), message)), name);
}

function decodeFields(top: Reader, name: string): Scenario {
  const compare = top.reader('compare');
  const upstreams = decodeUpstreams(top.reader('upstreams'));
  const scenario: Scenario = {
    name,
    rows: top.strings('rows') ?? top.fail('rows', 'is missing'),
    about: top.string('about') ?? '',
    hcm: top.fields('hcm') ?? {},
    filters: top.list('filters') ?? [],
    routes: top.list('routes'),
    virtualHosts: top.list('virtual_hosts'),
    routeConfig: top.fields('route_config') ?? {},
    listener: top.fields('listener') ?? {},
    chains: top.list('chains'),
    tls: top.fields('tls'),
    clusters: Object.fromEntries(
      (top.reader('clusters')?.names() ?? []).map((each) => [each, top.reader('clusters')?.fields(each) ?? {}]),
    ),
    upstreams,
    client: decodeSteps(top.readers('client') ?? top.fail('client', 'is missing'), upstreams),
    stats: compare?.strings('stats') ?? [],
    comparesUpstreams: compare?.boolean('upstreams') ?? true,
    hostsAlike: compare?.boolean('hosts_alike') ?? false,
    exactClose: compare?.boolean('close') ?? false,
    log: top.string('log'),
    logJson: top.fields('log_json'),
    logFilter: top.fields('log_filter'),
    bootstrap: top.fields('bootstrap'),
  };
  compare?.finish();
  top.finish();
  return scenario;
}
