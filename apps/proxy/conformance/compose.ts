import { expandFilters, expandTypes, isFields, merge } from './shorthand.ts';
import type { Scenario, UpstreamScript } from './scenario.ts';
import type { Fields, Value } from './values.ts';

const EXTENSIONS = 'type.googleapis.com/envoy.extensions.';

/** What an access-log line says unless the scenario has a format of its own. */
const LOG_FORMAT =
  '%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% term=%CONNECTION_TERMINATION_DETAILS% tls=%UPSTREAM_TRANSPORT_FAILURE_REASON% ' +
  'route=%ROUTE_NAME% cluster=%UPSTREAM_CLUSTER% host=%UPSTREAM_HOST% in=%BYTES_RECEIVED% out=%BYTES_SENT% %PROTOCOL% ' +
  '%REQ(:METHOD)% %REQ(:PATH)% original=%REQ(X-ENVOY-ORIGINAL-PATH)% %REQ(:AUTHORITY)% attempts=%UPSTREAM_REQUEST_ATTEMPT_COUNT% sni=%REQUESTED_SERVER_NAME%';

/** Where one proxy finds the peers of one scenario. */
export interface Places {
  /** Before the names of everything in the scenario. */
  readonly prefix: string;
  /** Ports of the upstreams by name. */
  readonly ports: ReadonlyMap<string, number>;
  readonly logFile: string;
  readonly certificates: string;
}

export interface Composed {
  readonly listeners: readonly Fields[];
  readonly clusters: readonly Fields[];
}

/** The listeners and clusters of a scenario, with names of its own. */
export function composeScenario(scenario: Scenario, places: Places): Composed {
  const names = clusterNames(scenario);
  const rename = (value: Value): Value => renameClusters(value, names, places);
  const listener = merge(
    {
      name: places.prefix,
      stat_prefix: places.prefix,
      address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
    },
    scenario.listener,
  );
  const listenerFilters = listener['listener_filters'];
  const complete: Fields = {
    ...listener,
    ...(Array.isArray(listenerFilters) ? { listener_filters: expandFilters(listenerFilters, 'listener') } : {}),
    filter_chains: chainsOf(scenario, places),
  };
  return {
    listeners: [asFields(rename(expandTypes(complete)))],
    clusters: names.map((name) => asFields(rename(expandTypes(clusterOf(name, scenario, places))))),
  };
}

/** The bootstrap of several scenarios. */
export function composeBootstrap(composed: readonly Composed[], more: Fields): Fields {
  return merge(
    {
      admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
      static_resources: {
        listeners: composed.flatMap(({ listeners }) => listeners),
        clusters: composed.flatMap(({ clusters }) => clusters),
      },
    },
    more,
  );
}

function clusterNames({ clusters, upstreams }: Scenario): readonly string[] {
  return [...new Set([...Object.keys(upstreams), ...Object.keys(clusters)])];
}

function chainsOf(scenario: Scenario, places: Places): Value[] {
  if (scenario.chains === null) {
    const tls: Fields = scenario.tls === null ? {} : { transport_socket: tlsSocket(scenario.tls, 'Downstream') };
    return [{ filters: [manager(scenario, places, {})], ...tls }];
  }
  return scenario.chains.map((chain) => {
    if (!isFields(chain)) return chain;
    const { tls, filters, ...rest } = chain;
    const list = Array.isArray(filters) ? filters : [{ hcm: {} }];
    return {
      ...rest,
      filters: expandFilters(
        list.map((filter) => networkFilter(filter, scenario, places)),
        'network',
      ),
      ...(isFields(tls) ? { transport_socket: tlsSocket(tls, 'Downstream') } : {}),
    };
  });
}

/** `hcm` is the scenario's connection manager; `tcp_proxy` gets a prefix for its statistics, and the access log. */
function networkFilter(filter: Value, scenario: Scenario, places: Places): Value {
  if (!isFields(filter)) return filter;
  const { hcm, tcp_proxy: tcp } = filter;
  if (isFields(hcm)) return manager(scenario, places, hcm);
  if (!isFields(tcp)) return filter;
  return { tcp_proxy: { stat_prefix: places.prefix, access_log: accessLog(scenario, places), ...tcp } };
}

function manager(scenario: Scenario, places: Places, more: Fields): Fields {
  const hosts = scenario.virtualHosts ?? [{ name: 'all', domains: ['*'], routes: routesOf(scenario) }];
  const config = merge(
    merge(
      {
        '@type': `${EXTENSIONS}filters.network.http_connection_manager.v3.HttpConnectionManager`,
        stat_prefix: places.prefix,
        access_log: accessLog(scenario, places),
        route_config: merge({ name: 'table', virtual_hosts: hosts }, scenario.routeConfig),
      },
      scenario.hcm,
    ),
    more,
  );
  const filters = config['http_filters'];
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      ...config,
      http_filters: expandFilters(Array.isArray(filters) ? filters : [...scenario.filters, { router: {} }], 'http'),
    },
  };
}

function routesOf(scenario: Scenario): readonly Value[] {
  const [first = ''] = clusterNames(scenario);
  return scenario.routes ?? [{ name: 'all', match: { prefix: '/' }, route: { cluster: first } }];
}

function accessLog(scenario: Scenario, { prefix, logFile }: Places): Value[] {
  const mark = `@${prefix}@`;
  const format: Fields =
    scenario.logJson === null
      ? { text_format_source: { inline_string: `${mark} ${scenario.log ?? LOG_FORMAT}\n` } }
      : { json_format: { ...scenario.logJson, zz_mark: mark } };
  return [
    {
      name: 'envoy.access_loggers.file',
      ...(scenario.logFilter === null ? {} : { filter: scenario.logFilter }),
      typed_config: { '@type': `${EXTENSIONS}access_loggers.file.v3.FileAccessLog`, path: logFile, log_format: format },
    },
  ];
}

function tlsSocket(context: Fields, side: 'Downstream' | 'Upstream'): Fields {
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: { '@type': `${EXTENSIONS}transport_sockets.tls.v3.${side}TlsContext`, ...context },
  };
}

/** A cluster of one static host; `hosts:` names the upstreams instead, `tls:` is its TLS context. */
function clusterOf(name: string, { clusters, upstreams }: Scenario, { ports }: Places): Fields {
  const { hosts, tls, ...rest } = clusters[name] ?? {};
  const list: readonly Value[] = Array.isArray(hosts) ? hosts : [name];
  const names = list.filter((each) => typeof each === 'string');
  const endpoints = names.filter((each) => upstreams[each]?.kind !== 'none').map((each) => endpointOf(ports.get(each)));
  const isHttp2 = names.some((each) => upstreams[each]?.kind === 'http2' || upstreams[each]?.kind === 'frames');
  const assignment: Fields =
    endpoints.length === 0 ? { cluster_name: name } : { cluster_name: name, endpoints: [{ lb_endpoints: endpoints }] };
  const whole = merge(
    {
      name,
      type: 'STATIC',
      connect_timeout: '2s',
      load_assignment: assignment,
      ...(isHttp2 ? { typed_extension_protocol_options: HTTP2 } : {}),
      ...(isFields(tls) ? { transport_socket: tlsSocket(tls, 'Upstream') } : {}),
    },
    rest,
  );
  // A null takes out what every cluster has otherwise.
  return Object.fromEntries(Object.entries(whole).filter(([, value]) => value !== null));
}

/** Nobody ever listens on port 1. */
const DEAD_PORT = 1;

const HTTP2: Fields = {
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
    '@type': 'upstreams.http.v3.HttpProtocolOptions',
    explicit_http_config: { http2_protocol_options: {} },
  },
};

function endpointOf(port: number | undefined): Fields {
  return { endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port ?? DEAD_PORT } } } };
}

/** Gives clusters their prefix wherever they are named, and fills `${…}` in texts. */
function renameClusters(value: Value, names: readonly string[], places: Places, key = ''): Value {
  if (typeof value === 'string') {
    if ((key === 'cluster' || key === 'cluster_name') && names.includes(value)) return `${places.prefix}-${value}`;
    return fillText(value, names, places);
  }
  if (Array.isArray(value)) return value.map((each) => renameClusters(each, names, places, key));
  if (!isFields(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([field, each]): [string, Value] => {
      const isClusterName = field === 'name' && typeof each === 'string' && names.includes(each) && isNamed(value, key);
      return [field, renameClusters(each, names, places, isClusterName ? 'cluster' : field)];
    }),
  );
}

/** A map whose `name` is a cluster's: the cluster itself, or one of several by weight. */
function isNamed(fields: Fields, key: string): boolean {
  return key === 'clusters' || fields['connect_timeout'] !== undefined;
}

/** `${web}`: the name of the cluster web; `${port:web}`; `${certs}`: the folder of certificates. */
export function fillText(text: string, names: readonly string[], places: Places): string {
  return text.replace(/\$\{([\w:.-]+)\}/g, (whole, name: string) => {
    if (name === 'certs') return places.certificates;
    if (name === 'prefix') return places.prefix;
    if (name.startsWith('port:')) return String(places.ports.get(name.slice(5)) ?? DEAD_PORT);
    return names.includes(name) ? `${places.prefix}-${name}` : whole;
  });
}

/** The text that a client sends, with its `${…}` filled. */
export function fillFor(scenario: Scenario, places: Places): (text: string) => string {
  const names = clusterNames(scenario);
  return (text) => fillText(text, names, places);
}

export function listens(script: UpstreamScript): boolean {
  return script.kind !== 'dead' && script.kind !== 'none';
}

function asFields(value: Value): Fields {
  if (!isFields(value)) throw new Error('not a map');
  return value;
}
