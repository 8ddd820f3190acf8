import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withPeer } from '@flotilla/testing';
import { describe, expect, it } from 'vitest';
import { fetchText, startEnvoy, startOurs, type Subject } from './subjects.ts';

withPeer('envoy', (program) => {
  describe('stats_config', () => {
    it('leaves the statistics that it leaves in Envoy, with its tags and buckets', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'flotilla-stats-'));
      try {
        const file = join(folder, 'bootstrap.yaml');
        await writeFile(file, BOOTSTRAP);
        const envoys = await linesOf(await startEnvoy(program, file, join(folder, 'admin')));
        const ours = await linesOf(await startOurs(file));
        expect(ours).toEqual(envoys);
        expect(ours).toHaveLength(7);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  });
});

/** Of Prometheus' page, in order. */
async function linesOf(subject: Subject): Promise<string[]> {
  try {
    const ports = [...subject.ports.values()];
    for (const port of ports) await fetchText(port, '/');
    const text = await fetchText(subject.admin, '/stats/prometheus');
    // Not Envoy's own page, and not what histograms hold, which Envoy tells some seconds later.
    const lines = text.split('\n').filter((line) => line.includes('="web"') && !line.includes('_sum'));
    return lines.map((line) => line.replace(/(_(?:bucket|count)\{.*) \d+$/, '$1 <count>')).toSorted();
  } finally {
    await subject.close();
  }
}

const BOOTSTRAP = `
admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }
stats_config:
  stats_tags: [{ tag_name: mesh, fixed_value: "here" }]
  stats_matcher:
    inclusion_list:
      patterns:
        - { suffix: downstream_rq_total }
        - { suffix: downstream_rq_time }
        - { exact: http.web.downstream_cx_total }
  histogram_bucket_settings: [{ match: { suffix: downstream_rq_time }, buckets: [1, 10, 1000] }]
static_resources:
  listeners:
    - name: web
      address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: web
                route_config:
                  virtual_hosts:
                    - { name: all, domains: ["*"], routes: [{ match: { prefix: / }, direct_response: { status: 200 } }] }
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
`;
