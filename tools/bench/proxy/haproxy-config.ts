import type { Plan } from './plan.ts';

export function haproxyConfig({ doors, upstream, certificates, extraClusters }: Plan): string {
  const extras = Array.from({ length: extraClusters }, (_, index) => index);
  const server = `server s 127.0.0.1`;
  const front = (name: string, bind: string, backend: string, more = '') => `
frontend ${name}
  bind 127.0.0.1:${bind}${more}
  default_backend ${backend}`;
  return `
global
  nbthread 1
  maxconn 9900
  log stdout format raw local0

defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
${front('plain', String(doors.plain), 'plain', extras.map((index) => `\n  use_backend extra-${index} if { path /extra/${index} }`).join(''))}
${front('logged', String(doors.logged), 'plain', '\n  log global\n  option httplog')}
${front('to_tls', String(doors.toTls), 'tls')}
${front('from_tls', `${doors.fromTls} ssl crt ${certificates}/both.pem`, 'plain')}
${front('from_mutual_tls', `${doors.fromMutualTls} ssl crt ${certificates}/both.pem ca-file ${certificates}/ca.pem verify required`, 'plain')}
${front('h2', `${doors.h2} proto h2`, 'plain')}
${front('grpc', `${doors.grpc} proto h2`, 'grpc')}
frontend tcp
  mode tcp
  bind 127.0.0.1:${doors.tcp}
  default_backend tcp

backend plain
  ${server}:${upstream.plain}
backend tls
  ${server}:${upstream.tls} ssl crt ${certificates}/both.pem ca-file ${certificates}/ca.pem verify required
backend grpc
  ${server}:${upstream.grpc} proto h2
backend tcp
  mode tcp
  ${server}:${upstream.plain}
${extras.map((index) => `backend extra-${index}\n  ${server}:${upstream.plain}`).join('\n')}
`;
}

/** The load's own: brings a client certificate to what cannot show one. */
export function certificateBringer(listen: number, target: number, certificates: string): string {
  return `
global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend in
  bind 127.0.0.1:${listen}
  default_backend out
backend out
  server s 127.0.0.1:${target} ssl crt ${certificates}/both.pem ca-file ${certificates}/ca.pem verify none
`;
}
