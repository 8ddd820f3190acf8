/** Ports and files of one run. */
export interface RunPlaces {
  readonly blue: number;
  readonly green: number;
  readonly echo: number;
  /** A port where nobody listens. */
  readonly dead: number;
  readonly accessLog: string;
}

const TYPE = 'type.googleapis.com/envoy.extensions';

/** The access log that both proxies write; one line a request. */
const LOG_FORMAT =
  '%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% ' +
  '%ROUTE_NAME% %UPSTREAM_CLUSTER% %BYTES_RECEIVED% %BYTES_SENT% "%REQ(X-CASE)%" "%RESP(X-FROM)%" %REQ(:AUTHORITY)%\n';

/** The static bootstrap that both proxies start from, as Envoy users write it. */
export function bootstrapYaml({ blue, green, echo, dead, accessLog }: RunPlaces): string {
  return `
admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }
static_resources:
  listeners:
    - name: http
      address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": ${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: ingress
                access_log:
                  - name: envoy.access_loggers.file
                    typed_config:
                      "@type": ${TYPE}.access_loggers.file.v3.FileAccessLog
                      path: ${accessLog}
                      log_format: { text_format_source: { inline_string: ${JSON.stringify(LOG_FORMAT)} } }
                http_filters:
                  - name: envoy.filters.http.fault
                    typed_config: { "@type": ${TYPE}.filters.http.fault.v3.HTTPFault }
                  - name: envoy.filters.http.router
                    typed_config: { "@type": ${TYPE}.filters.http.router.v3.Router }
                route_config:
                  name: local
                  virtual_hosts:
                    - name: special
                      domains: ["special.example", "*.wild.example"]
                      routes: [{ name: special, match: { prefix: / }, route: { cluster: green } }]
                    - name: moved
                      domains: ["moved.example"]
                      require_tls: ALL
                      routes: [{ match: { prefix: / }, route: { cluster: blue } }]
                    - name: all
                      domains: ["*"]
                      request_headers_to_add:
                        - { header: { key: x-vhost, value: all } }
                      response_headers_to_add:
                        - { header: { key: x-served, value: "%PROTOCOL%" } }
                      routes:
${ROUTES.map((route) => `                        - ${route}`).join('\n')}
    - name: tcp
      address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
      filter_chains:
        - filters:
            - name: envoy.filters.network.tcp_proxy
              typed_config:
                "@type": ${TYPE}.filters.network.tcp_proxy.v3.TcpProxy
                stat_prefix: raw
                cluster: echo
    - name: tcp-dead
      address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
      filter_chains:
        - filters:
            - name: envoy.filters.network.tcp_proxy
              typed_config:
                "@type": ${TYPE}.filters.network.tcp_proxy.v3.TcpProxy
                stat_prefix: dead
                cluster: dead
  clusters:
${[cluster('blue', blue), cluster('green', green), cluster('echo', echo), cluster('dead', dead), cluster('tight', blue, ', circuit_breakers: { thresholds: [{ max_retries: 0 }] }'), '    - { name: empty, type: STATIC, connect_timeout: 1s, load_assignment: { cluster_name: empty } }'].join('\n')}
`;
}

function cluster(name: string, port: number, more = ''): string {
  return (
    `    - { name: ${name}, type: STATIC, connect_timeout: 1s, load_assignment: { cluster_name: ${name}, endpoints: [{ ` +
    `lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } } }] }] }${more} }`
  );
}

function faultFor(header: string): string {
  return (
    `typed_per_filter_config: { envoy.filters.http.fault: { "@type": ${TYPE}.filters.http.fault.v3.HTTPFault, ` +
    `abort: { http_status: 418, percentage: { numerator: 100 } }, headers: [${header}] } }`
  );
}

/** Routes in order; the first that matches wins. */
const ROUTES: readonly string[] = [
  '{ name: exact, match: { path: /exact }, route: { cluster: green } }',
  '{ name: caseless, match: { prefix: /CaseLess, case_sensitive: false }, route: { cluster: green } }',
  '{ name: regex, match: { safe_regex: { regex: "/items/[0-9]+" } }, route: { cluster: green } }',
  '{ name: separated, match: { path_separated_prefix: /team }, route: { cluster: green } }',
  '{ name: method, match: { prefix: /by-header, headers: [{ name: ":method", string_match: { exact: DELETE } }] }, route: { cluster: green } }',
  '{ name: header-exact, match: { prefix: /by-header, headers: [{ name: x-user, string_match: { exact: jason } }] }, route: { cluster: green } }',
  '{ name: header-absent, match: { prefix: /by-header, headers: [{ name: x-user, present_match: true, invert_match: true }, { name: x-must, present_match: true }] }, route: { cluster: green } }',
  '{ name: header-range, match: { prefix: /by-header, headers: [{ name: x-age, range_match: { start: 10, end: 20 } }] }, route: { cluster: green } }',
  '{ name: header-prefix, match: { prefix: /by-header, headers: [{ name: x-team, string_match: { prefix: red, ignore_case: true } }] }, route: { cluster: green } }',
  '{ name: by-header, match: { prefix: /by-header }, route: { cluster: blue } }',
  '{ name: query, match: { prefix: /by-query, query_parameters: [{ name: canary, string_match: { exact: "true" } }] }, route: { cluster: green } }',
  '{ name: query-present, match: { prefix: /by-query, query_parameters: [{ name: debug, present_match: true }] }, route: { cluster: green } }',
  '{ name: by-query, match: { prefix: /by-query }, route: { cluster: blue } }',
  '{ name: redirect-path, match: { prefix: /redirect/path }, redirect: { path_redirect: /there } }',
  '{ name: redirect-prefix, match: { prefix: /redirect/prefix }, redirect: { prefix_rewrite: /new, response_code: FOUND } }',
  '{ name: redirect-host, match: { prefix: /redirect/host }, redirect: { host_redirect: other.example, port_redirect: 8443, https_redirect: true, response_code: PERMANENT_REDIRECT } }',
  '{ name: redirect-strip, match: { prefix: /redirect/strip }, redirect: { path_redirect: /x, strip_query: true, response_code: SEE_OTHER } }',
  '{ name: direct, match: { path: /direct }, direct_response: { status: 418, body: { inline_string: teapot } } }',
  '{ name: direct-empty, match: { path: /direct-empty }, direct_response: { status: 204 } }',
  '{ name: rewrite-prefix, match: { prefix: /rewrite/prefix }, route: { cluster: blue, prefix_rewrite: /echo } }',
  '{ name: rewrite-regex, match: { prefix: /rewrite/regex }, route: { cluster: blue, regex_rewrite: { pattern: { regex: "^/rewrite/regex/([^/]+)/(.*)$" }, substitution: "/\\\\2/of/\\\\1" } } }',
  '{ name: rewrite-host, match: { prefix: /rewrite/host }, route: { cluster: blue, host_rewrite_literal: backend.example, append_x_forwarded_host: true } }',
  '{ name: rewrite-host-header, match: { prefix: /rewrite/header }, route: { cluster: blue, host_rewrite_header: x-target } }',
  '{ name: all-blue, match: { prefix: /weights/all-blue }, route: { weighted_clusters: { clusters: [{ name: blue, weight: 100 }, { name: green, weight: 0 }] } } }',
  '{ name: with-headers, match: { prefix: /weights/headers }, route: { weighted_clusters: { clusters: [{ name: green, weight: 1, request_headers_to_add: [{ header: { key: x-weighted, value: "yes" } }], response_headers_to_add: [{ header: { key: x-chosen, value: green } }] }] } } }',
  '{ name: split, match: { prefix: /weights/split }, route: { weighted_clusters: { clusters: [{ name: blue, weight: 75 }, { name: green, weight: 25 }] } } }',
  '{ name: edits, match: { prefix: /edits }, route: { cluster: blue }, request_headers_to_add: [{ header: { key: x-appended, value: two } }, { header: { key: x-set, value: "%REQ(x-case)%" }, append_action: OVERWRITE_IF_EXISTS_OR_ADD }, { header: { key: x-missing, value: added }, append_action: ADD_IF_ABSENT }], request_headers_to_remove: [x-secret], response_headers_to_add: [{ header: { key: x-edited, value: "%RESPONSE_CODE%" } }], response_headers_to_remove: [x-internal] }',
  '{ name: timeout, match: { prefix: /timeout }, route: { cluster: blue, timeout: 0.2s, prefix_rewrite: /hang } }',
  '{ name: per-try, match: { prefix: /per-try }, route: { cluster: blue, prefix_rewrite: /hang, timeout: 5s, retry_policy: { retry_on: 5xx, num_retries: 1, per_try_timeout: 0.15s } } }',
  '{ name: retry, match: { prefix: /retry/ }, route: { cluster: blue, prefix_rewrite: /fail/, retry_policy: { retry_on: 5xx, num_retries: 3, retry_back_off: { base_interval: 0.001s, max_interval: 0.002s } } } }',
  '{ name: retry-code, match: { prefix: /retry-code/ }, route: { cluster: blue, prefix_rewrite: /fail-with-409/, retry_policy: { retry_on: retriable-status-codes, retriable_status_codes: [409], num_retries: 2 } } }',
  '{ name: no-retry, match: { prefix: /no-retry/ }, route: { cluster: blue, prefix_rewrite: /fail/ } }',
  '{ name: retry-connect, match: { prefix: /retry-connect }, route: { cluster: dead, retry_policy: { retry_on: connect-failure, num_retries: 2, retry_back_off: { base_interval: 0.001s } } } }',
  '{ name: retry-tight, match: { prefix: /retry-tight/ }, route: { cluster: tight, prefix_rewrite: /fail/, retry_policy: { retry_on: 5xx, num_retries: 3 } } }',
  '{ name: reset, match: { prefix: /reset }, route: { cluster: blue } }',
  `{ name: fault, match: { prefix: /fault }, route: { cluster: blue }, ${faultFor('{ name: x-user, string_match: { exact: jason } }')} }`,
  '{ name: cut, match: { prefix: /cut }, route: { cluster: blue } }',
  '{ name: dead, match: { prefix: /dead }, route: { cluster: dead } }',
  '{ name: empty, match: { prefix: /empty }, route: { cluster: empty } }',
  '{ name: unknown, match: { prefix: /unknown }, route: { cluster_header: x-cluster, cluster_not_found_response_code: NOT_FOUND } }',
  '{ name: blue, match: { prefix: /echo }, route: { cluster: blue } }',
  '{ name: status, match: { prefix: /status }, route: { cluster: blue } }',
];
