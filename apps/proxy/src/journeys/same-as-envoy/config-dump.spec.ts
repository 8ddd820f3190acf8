import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withPeer } from '@flotilla/testing';
import { describe, expect, it } from 'vitest';
import { startEnvoy, startOurs, type Subject } from './subjects.ts';

const QUERIES = [
  'resource=static_listeners&mask=listener.name',
  'resource=static_clusters&mask=cluster.name,cluster.type',
  'resource=static_clusters&mask=cluster.connect_timeout&name_regex=^b$',
  'mask=static_clusters.cluster.name',
  'mask=nope',
  'resource=static_clusters&mask=nope',
  'resource=nope',
];

withPeer('envoy', (program) => {
  describe('a part of the dump of configuration', () => {
    it('is what Envoy gives', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'flotilla-dump-'));
      try {
        const file = join(folder, 'bootstrap.yaml');
        await writeFile(file, BOOTSTRAP);
        const envoys = await ask(await startEnvoy(program, file, join(folder, 'admin')));
        const ours = await ask(await startOurs(file));
        expect(ours).toEqual(envoys);
        expect(ours[0]).toMatchObject({ status: 200, page: { configs: [{ listener: { name: 'echo' } }] } });
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  });
});

/** The status of each answer, and its page where it has one; the wording of refusals is ours. */
async function ask(subject: Subject): Promise<{ readonly status: number; readonly page: unknown }[]> {
  try {
    return await Promise.all(QUERIES.map((query) => page(subject.admin, `/config_dump?${query}`)));
  } finally {
    await subject.close();
  }
}

function page(port: number, path: string): Promise<{ readonly status: number; readonly page: unknown }> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => {
        const status = response.statusCode ?? 0;
        resolve({ status, page: status === 200 ? (JSON.parse(body) as unknown) : null });
      });
    }).on('error', reject);
  });
}

const BOOTSTRAP = `
admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }
static_resources:
  listeners:
    - name: echo
      address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
      filter_chains:
        - filters:
            - name: envoy.filters.network.echo
              typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo }
  clusters:
    - { name: a, type: STATIC, connect_timeout: 1s }
    - { name: b, type: STATIC, connect_timeout: 2s }
`;
