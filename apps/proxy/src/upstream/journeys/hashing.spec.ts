import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withPeer } from '@flotilla/testing';
import { describe, expect, it } from 'vitest';
import { startEnvoy, startOurs, type Subject } from '../../journeys/same-as-envoy/subjects.ts';

/*
 * The same hosts, the same keys: both proxies must send each key to the same host. Hosts are known by address and port,
 * so both speak to the same servers.
 */

const HOSTS = 6;
const KEYS = 150;
const TYPE = 'type.googleapis.com/envoy.extensions';

/** Each is a listener and a cluster of its own. */
const POLICIES: Readonly<
  Record<string, { readonly cluster: string; readonly weights?: boolean; readonly keys?: boolean }>
> = {
  ring: { cluster: 'lb_policy: RING_HASH' },
  'ring-murmur': { cluster: 'lb_policy: RING_HASH, ring_hash_lb_config: { hash_function: MURMUR_HASH_2 }' },
  'ring-small': {
    cluster: 'lb_policy: RING_HASH, ring_hash_lb_config: { minimum_ring_size: 10, maximum_ring_size: 64 }',
  },
  'ring-weights': { cluster: 'lb_policy: RING_HASH', weights: true },
  'ring-keys': { cluster: 'lb_policy: RING_HASH', keys: true },
  'ring-extension': {
    cluster: `load_balancing_policy: { policies: [{ typed_extension_config: { name: r, typed_config: { "@type": ${TYPE}.load_balancing_policies.ring_hash.v3.RingHash, minimum_ring_size: 100 } } }] }`,
  },
  maglev: { cluster: 'lb_policy: MAGLEV' },
  'maglev-small': { cluster: 'lb_policy: MAGLEV, maglev_lb_config: { table_size: 503 }' },
  'maglev-weights': { cluster: 'lb_policy: MAGLEV', weights: true },
  'maglev-keys': { cluster: 'lb_policy: MAGLEV', keys: true },
  'maglev-extension': {
    cluster: `load_balancing_policy: { policies: [{ typed_extension_config: { name: m, typed_config: { "@type": ${TYPE}.load_balancing_policies.maglev.v3.Maglev } } }] }`,
  },
};

withPeer('envoy', (program) => {
  describe('keys land on the hosts that Envoy chooses', () => {
    it('by ring hash and Maglev, whatever their settings', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'flotilla-hashing-'));
      const servers = await Promise.all(Array.from({ length: HOSTS }, (_, index) => startHost(`host-${index}`)));
      try {
        const file = join(folder, 'bootstrap.yaml');
        await writeFile(file, bootstrapYaml(servers.map(({ port }) => port)));
        const envoys = await run(await startEnvoy(program, file, join(folder, 'admin')));
        const ours = await run(await startOurs(file));
        for (const name of Object.keys(POLICIES)) {
          expect(new Set(envoys[name]).size, `${name} uses several hosts`).toBeGreaterThan(2);
          expect(ours[name], `${name} on ${servers.map(({ port }) => port).join()}`).toEqual(envoys[name]);
        }
      } finally {
        for (const { close } of servers) close();
        await rm(folder, { recursive: true, force: true });
      }
    }, 60_000);
  });
});

async function startHost(name: string): Promise<{ readonly port: number; close(): void }> {
  const server = createServer((_request, response) => void response.end(name));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port, // a listening TCP server
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The host of each key, by policy. */
async function run(subject: Subject): Promise<Readonly<Record<string, readonly string[]>>> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    const chosen: Record<string, string[]> = {};
    for (const name of Object.keys(POLICIES)) {
      const hosts: string[] = [];
      for (let key = 0; key < KEYS; key++) hosts.push(await hostOf(subject.ports.get(name) ?? 0, agent, key));
      chosen[name] = hosts;
    }
    return chosen;
  } finally {
    agent.destroy();
    await subject.close();
  }
}

/** Keys of several kinds: one value, several, a query, and a header that the route itself sets. */
function hostOf(port: number, agent: Agent, key: number): Promise<string> {
  const headers = key % 5 === 0 ? { 'x-key': [`b-${key}`, `a-${key}`] } : { 'x-key': `user-${key}` };
  const path = key % 3 === 0 ? `/?k=${key}` : key % 7 === 0 ? '/edited' : '/';
  return new Promise((resolve, reject) => {
    httpRequest({ host: '127.0.0.1', port, agent, path, headers }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve(text));
    })
      .on('error', reject)
      .end();
  });
}

function bootstrapYaml(ports: readonly number[]): string {
  const hashed =
    'hash_policy: [{ header: { header_name: x-key } }, { query_parameter: { name: k } }, { header: { header_name: x-added } }]';
  const listener = (name: string) => `
    - name: ${name}
      address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
      filter_chains:
        - filters:
            - name: http
              typed_config:
                "@type": ${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: ${name}
                http_filters: [{ name: router, typed_config: { "@type": ${TYPE}.filters.http.router.v3.Router } }]
                route_config:
                  virtual_hosts:
                    - name: all
                      domains: ["*"]
                      routes:
                        - { match: { path: /edited }, route: { cluster: ${name}, ${hashed} }, request_headers_to_add: [{ header: { key: x-added, value: "by the route" } }] }
                        - { match: { prefix: / }, route: { cluster: ${name}, ${hashed} } }`;
  const cluster = (name: string) => {
    const { cluster: policy, weights = false, keys = false } = POLICIES[name] ?? { cluster: '' };
    const endpoints = ports.map((port, index) => {
      const weight = weights ? `, load_balancing_weight: ${(index % 3) * 2 + 1}` : '';
      const metadata = keys ? `, metadata: { filter_metadata: { envoy.lb: { hash_key: "key ${index}" } } }` : '';
      return `{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } }${weight}${metadata} }`;
    });
    return `
    - { name: ${name}, type: STATIC, connect_timeout: 1s, ${policy}, load_assignment: { cluster_name: ${name}, endpoints: [{ lb_endpoints: [${endpoints.join(', ')}] }] } }`;
  };
  const names = Object.keys(POLICIES);
  return `
admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }
static_resources:
  listeners:${names.map(listener).join('')}
  clusters:${names.map(cluster).join('')}
`;
}
