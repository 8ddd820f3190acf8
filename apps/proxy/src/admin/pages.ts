import type { LogLevel } from '@flotilla/observe';
import { Counter, Histogram } from '../base/stats.ts';
import type { AdminPage, AdminRoute } from './server.ts';
import { help, json, text } from './server.ts';
import { prometheusPage, statsPage } from './stats-page.ts';
import { runtimePage } from './runtime-page.ts';

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** The administration pages: Envoy's paths. Those that print protobuf messages load them when first asked for. */
export function adminRoutes(): ReadonlyMap<string, AdminRoute> {
  const routes = new Map<string, AdminRoute>();
  const show = (path: string, helpLine: string, page: AdminPage): void =>
    void routes.set(path, { help: helpLine, isMutating: false, page });
  const change = (path: string, helpLine: string, page: AdminPage): void =>
    void routes.set(path, { help: helpLine, isMutating: true, page });

  show('/', 'this list', () => text(`admin commands are:\n${help(routes)}`));
  show('/help', 'this list', () => text(`admin commands are:\n${help(routes)}`));
  show('/ready', 'LIVE and 200 when the proxy serves, 503 otherwise', (state) => {
    if (state.isDraining() || state.health.isFailing) return text('DRAINING\n', 503);
    return state.isReady() ? text('LIVE\n') : text('INITIALIZING\n', 503);
  });
  show('/certs', 'certificates in use', async (state) => json((await import('./protobuf-pages.ts')).certs(state)));
  show('/clusters', 'upstream hosts (?format=json)', async (state, query) => {
    const pages = await import('./protobuf-pages.ts');
    return query.get('format') === 'json' ? json(pages.clustersJson(state)) : text(pages.clustersText(state));
  });
  show('/listeners', 'bound addresses (?format=json)', async (state, query) => {
    if (query.get('format') === 'json') return json((await import('./protobuf-pages.ts')).listeners(state));
    return text(
      state
        .listeners()
        .map(({ name, host, port }) => `${name}::${host}:${port}\n`)
        .join(''),
    );
  });
  show('/config_dump', 'configuration (?resource=, ?name_regex=, ?include_eds)', async (state, query) =>
    (await import('./config-dump.ts')).configDumpPage(state, query),
  );
  show('/init_dump', 'what readiness waits for', async (state) =>
    json((await import('./protobuf-pages.ts')).initDump(state)),
  );
  show('/server_info', 'version, state, uptime, node', async (state) =>
    json((await import('./protobuf-pages.ts')).serverInfo(state)),
  );
  show('/runtime', 'values of the static layers', (state) => json(JSON.stringify(runtimePage(state), null, 1)));
  show('/memory', 'memory of this process', async () => json((await import('./protobuf-pages.ts')).memory()));
  show('/stats', 'statistics (?filter=regex, ?usedonly, ?format=json|prometheus)', statsPage);
  show('/stats/prometheus', 'statistics for Prometheus (?filter=regex, ?usedonly)', prometheusPage);

  change('/drain_listeners', 'connections finish what they do and close', (state) => {
    state.drain();
    return text('OK\n');
  });
  change('/healthcheck/fail', '/ready answers 503', (state) => {
    state.health.isFailing = true;
    return text('OK\n');
  });
  change('/healthcheck/ok', '/ready answers again', (state) => {
    state.health.isFailing = false;
    return text('OK\n');
  });
  change('/logging', 'log level (?level=debug|info|warn|error)', (state, query) => {
    const wanted = query.get('level');
    if (wanted !== null) {
      const level = LEVELS.find((known) => known === (wanted === 'warning' ? 'warn' : wanted));
      if (level === undefined) return text(`level must be one of ${LEVELS.join(', ')}\n`, 400);
      state.log.setLevel(level);
    }
    return text(`active loggers:\n  proxy: ${state.log.level()}\n`);
  });
  change('/reset_counters', 'counters start at 0 again', (state) => {
    for (const { metric } of state.stats.all()) {
      if (metric instanceof Counter) metric.value = 0;
      else if (metric instanceof Histogram) {
        metric.counts.fill(0);
        metric.sum = 0;
        metric.count = 0;
      }
    }
    return text('OK\n');
  });
  change('/quitquitquit', 'stops the proxy', (state) => {
    state.quit();
    return text('OK\n');
  });
  return routes;
}
