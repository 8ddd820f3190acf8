import type { Plan } from './plan.ts';

const TYPE = 'type.googleapis.com/envoy.extensions';

/** The bootstrap that both our proxy and Envoy start from. */
export function envoyYaml({ doors, upstream, certificates, accessLog, extraClusters }: Plan): string {
  const pem = (name: string) => `{ filename: ${certificates}/${name}.pem }`;
  const common =
    `{ tls_certificates: [{ certificate_chain: ${pem('cert')}, private_key: ${pem('key')} }], ` +
    `validation_context: { trusted_ca: ${pem('ca')} } }`;
  const serverOnly = `{ tls_certificates: [{ certificate_chain: ${pem('cert')}, private_key: ${pem('key')} }] }`;
  const downstream = (context: string, more: string) =>
    `transport_socket: { name: tls, typed_config: { "@type": ${TYPE}.transport_sockets.tls.v3.DownstreamTlsContext, common_tls_context: ${context}${more} } }`;
  const extras = Array.from({ length: extraClusters }, (_, index) => index);
  const extraRoutes = extras.map((index) => `{ match: { path: /extra/${index} }, route: { cluster: extra-${index} } }`);
  const http = (name: string, port: number, cluster: string, chain = '', manager = '') => `
    - name: ${name}
      address: { socket_address: { address: 127.0.0.1, port_value: ${port} } }
      filter_chains:
        - filters:
            - name: http
              typed_config:
                "@type": ${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: ${name}
                ${manager}
                http_filters: [{ name: router, typed_config: { "@type": ${TYPE}.filters.http.router.v3.Router } }]
                route_config: { virtual_hosts: [{ name: all, domains: ["*"], routes: [${(name === 'plain' ? extraRoutes : []).map((route) => `${route}, `).join('')}{ match: { prefix: / }, route: { cluster: ${cluster} } }] }] }
          ${chain}`;
  const cluster = (name: string, port: number, more = '') =>
    `    - { name: ${name}, type: STATIC, connect_timeout: 1s, circuit_breakers: { thresholds: [{ max_connections: 100000, max_pending_requests: 100000, max_requests: 100000 }] }, ` +
    `load_assignment: { cluster_name: ${name}, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } } }] }] }${more} }`;
  const upstreamTls = `, transport_socket: { name: tls, typed_config: { "@type": ${TYPE}.transport_sockets.tls.v3.UpstreamTlsContext, sni: web.test, common_tls_context: ${common} } }`;
  const http2 = `, typed_extension_protocol_options: { envoy.extensions.upstreams.http.v3.HttpProtocolOptions: { "@type": ${TYPE}.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: { http2_protocol_options: {} } } }`;
  const log = `access_log: [{ name: file, typed_config: { "@type": ${TYPE}.access_loggers.file.v3.FileAccessLog, path: ${accessLog} } }]`;
  return `
admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }
static_resources:
  listeners:${[
    http('plain', doors.plain, 'plain'),
    http('logged', doors.logged, 'plain', '', log),
    http('to-tls', doors.toTls, 'tls'),
    http('from-tls', doors.fromTls, 'plain', downstream(serverOnly, '')),
    http('from-mutual-tls', doors.fromMutualTls, 'plain', downstream(common, ', require_client_certificate: true')),
    http('h2', doors.h2, 'plain'),
    http('grpc', doors.grpc, 'grpc'),
  ].join('')}
    - name: tcp
      address: { socket_address: { address: 127.0.0.1, port_value: ${doors.tcp} } }
      filter_chains: [{ filters: [{ name: tcp, typed_config: { "@type": ${TYPE}.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: tcp, cluster: plain } }] }]
  clusters:
${[
  cluster('plain', upstream.plain),
  cluster('tls', upstream.tls, upstreamTls),
  cluster('grpc', upstream.grpc, http2),
  ...extras.map((index) => cluster(`extra-${index}`, upstream.plain)),
].join('\n')}
`;
}
