import type { Plan } from './plan.ts';

export function nginxConfig({ doors, upstream, certificates, accessLog, extraClusters }: Plan): string {
  const extras = Array.from({ length: extraClusters }, (_, index) => index);
  const proxied = (target: string) => `
      proxy_pass ${target};
      proxy_http_version 1.1;
      proxy_set_header Connection "";`;
  const server = (listen: string, body: string) => `
  server {
    listen 127.0.0.1:${listen};
${body}
  }`;
  const all = (target: string) => `    location / {${proxied(target)}
    }`;
  const own = `    ssl_certificate ${certificates}/cert.pem;
    ssl_certificate_key ${certificates}/key.pem;
`;
  const pool = (name: string, port: number) => `
  upstream ${name} { server 127.0.0.1:${port}; keepalive 128; keepalive_requests 1000000000; }`;
  return `
worker_processes 1;
daemon off;
master_process off;
error_log stderr crit;
pid nginx.pid;
events { worker_connections 25000; }
http {
  access_log off;
  keepalive_requests 1000000000;
  proxy_temp_path proxy_temp;
  client_body_temp_path body_temp;
  variables_hash_max_size 4096;
${pool('plain', upstream.plain)}${pool('secure', upstream.tls)}${pool('grpc', upstream.grpc)}
${server(String(doors.plain), `${extras.map((index) => `    location = /extra/${index} { proxy_pass http://extra-${index}; }`).join('\n')}\n${all('http://plain')}`)}
${server(String(doors.logged), `    access_log ${accessLog};\n${all('http://plain')}`)}
${server(
  String(doors.toTls),
  `    location / {${proxied('https://secure')}
      proxy_ssl_certificate ${certificates}/cert.pem;
      proxy_ssl_certificate_key ${certificates}/key.pem;
      proxy_ssl_trusted_certificate ${certificates}/ca.pem;
      proxy_ssl_session_reuse on;
    }`,
)}
${server(`${doors.fromTls} ssl`, own + all('http://plain'))}
${server(`${doors.fromMutualTls} ssl`, `${own}    ssl_client_certificate ${certificates}/ca.pem;\n    ssl_verify_client on;\n${all('http://plain')}`)}
${server(`${doors.h2} http2`, all('http://plain'))}
${server(`${doors.grpc} http2`, '    location / { grpc_pass grpc://grpc; }')}
${extras.map((index) => pool(`extra-${index}`, upstream.plain)).join('')}
}
`;
}
