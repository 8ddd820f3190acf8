import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { withPeer } from '@flotilla/testing';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { IMAGES, imageReference, versionOf } from '../images/plan.ts';
import { composeFolder, readCompose } from './compose.ts';
import { ASK_LIMIT_MS, unknownVariables } from './program-settings.ts';

const root = resolve(import.meta.dirname, '../..');
const { services, secrets } = readCompose('compose.yaml');
const all = Object.entries(services);
const workloads = Object.keys(services).filter((name) => `${name}-net` in services);

describe('deploy/compose', () => {
  it('runs the images that "npm run images" makes', () => {
    const made = IMAGES.map((name) => imageReference(name, versionOf(root)));
    const used = new Set(all.map(([, { image }]) => image ?? ''));
    expect([...used].filter((image) => image.startsWith('flotilla/')).sort()).toEqual([...made].sort());
  });

  it('publishes ports on this machine only', () => {
    const published = all.flatMap(([, { ports = [] }]) => ports);
    expect(published.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
    expect(new Set(published.map((port) => port.split(':')[1])).size).toBe(published.length);
  });

  it('gives no container more rights than it needs, and bounds its logs', () => {
    for (const [name, service] of all) {
      expect(service, name).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges'] });
      expect(service.cap_add ?? [], name).toEqual(name.endsWith('-capture') ? ['NET_ADMIN', 'NET_RAW'] : []);
      if (/-(net|capture)$/.test(name)) continue; // They say a line at most.
      expect(service.restart, name).toBe('unless-stopped');
      expect(service.logging?.options, name).toHaveProperty('max-size');
    }
  });

  it('makes every workload of a network, a capture, a proxy and an application, each waiting for the one before', () => {
    expect(workloads).toHaveLength(6);
    for (const name of workloads) {
      const network = `service:${name}-net`;
      expect(services[`${name}-capture`]).toMatchObject({
        network_mode: network,
        depends_on: [`${name}-net`],
        restart: 'no',
      });
      expect(services[`${name}-proxy`]).toMatchObject({
        network_mode: network,
        depends_on: { [`${name}-capture`]: { condition: 'service_completed_successfully' } },
        environment: { FLOTILLA_WORKLOAD: name, FLOTILLA_INTERCEPTION: 'redirect' },
      });
      expect(services[name]).toMatchObject({
        network_mode: network,
        depends_on: { [`${name}-proxy`]: { condition: 'service_healthy' } },
      });
      // Back by itself it would have lost its rules.
      expect(services[`${name}-net`]?.restart).toBe('no');
    }
  });

  it('gives the private keys to citadel alone, and each proxy its own token', () => {
    const sourcesOf = (name: string) =>
      (services[name]?.secrets ?? []).map((entry) => (typeof entry === 'string' ? entry : entry.source));
    const holders = (secret: string) => Object.keys(services).filter((name) => sourcesOf(name).includes(secret));
    for (const secret of ['root-key', 'token-key']) expect(holders(secret)).toEqual(['citadel']);
    for (const name of workloads)
      expect(sourcesOf(`${name}-proxy`)).toEqual(['roots', `${name.replace(/-v\d$/, '')}-token`]);
    for (const secret of Object.keys(secrets)) expect(holders(secret), secret).not.toEqual([]);
    expect(
      Object.keys(services)
        .flatMap(sourcesOf)
        .filter((secret) => !(secret in secrets)),
    ).toEqual([]);
  });

  it(
    'sets only what its services know',
    () => {
      expect(
        all.flatMap(([, { image = '', environment = {} }]) => unknownVariables(image, Object.keys(environment))),
      ).toEqual([]);
    },
    ASK_LIMIT_MS,
  );

  it('is scraped by Prometheus under names that its network has', () => {
    const names = new Set(
      all.flatMap(([name, { networks }]) => [
        name,
        ...(networks === undefined || Array.isArray(networks)
          ? []
          : Object.values(networks).flatMap((network) => network.aliases ?? [])),
      ]),
    );
    // Prometheus' own form; a name that is missing fails below.
    const { scrape_configs } = parse(readFileSync(join(root, 'deploy/prometheus/prometheus.yaml'), 'utf8')) as {
      scrape_configs: { dns_sd_configs: { names: string[] }[] }[];
    };
    const targets = scrape_configs.flatMap(({ dns_sd_configs }) => dns_sd_configs.flatMap((config) => config.names));
    expect(targets.filter((name) => !names.has(name))).toEqual([]);
    expect(targets).toEqual(expect.arrayContaining(['citadel', 'galley', 'pilot', 'ingressgateway', 'reviews']));
  });
});

it('Redis gives its user the rights that the mesh needs, in compose, in Kubernetes and as documented', () => {
  const rightsIn = (path: string) =>
    /-@all ((?:\+\w+\s+)+)/
      .exec(readFileSync(join(root, path), 'utf8'))?.[1]
      ?.trim()
      .replaceAll(/\s+/g, ' ');
  expect(rightsIn('deploy/compose/compose.yaml')).toMatch(/\+evalsha/);
  for (const path of ['deploy/kubernetes/base/redis.yaml', 'libs/redis/README.md'])
    expect(rightsIn(path), path).toBe(rightsIn('deploy/compose/compose.yaml'));
});

it('the two copies of what galley is told of Bookinfo are the same', () => {
  const documents = (path: string) => readFileSync(path, 'utf8').replaceAll(/^#.*\n/gm, '');
  expect(documents(join(composeFolder, 'config/bookinfo.yaml'))).toBe(
    documents(join(root, 'deploy/kubernetes/bookinfo/mesh-bookinfo.yaml')),
  );
});

withPeer('dockerd', () => {
  it('takes the service of the README beside its own, whose proxy extends the same part', () => {
    const folder = mkdtempSync(join(tmpdir(), 'flotilla-shop-'));
    try {
      cpSync(composeFolder, folder, { recursive: true });
      const [, example = ''] = /```yaml\n([^`]*)```/.exec(readFileSync(join(folder, 'README.md'), 'utf8')) ?? [];
      writeFileSync(join(folder, 'shop.yaml'), example);
      const args = ['-f', 'compose.yaml', '-f', 'shop.yaml', 'config'];
      const { services: merged } = parse(execFileSync('docker-compose', args, { cwd: folder, encoding: 'utf8' }));
      expect(merged['shop-proxy'].environment).toMatchObject({
        FLOTILLA_WORKLOAD: 'shop-v1',
        FLOTILLA_DISCOVERY: 'pilot:15012',
      });
      expect(merged['shop-proxy'].secrets.map(({ target }: { target: string }) => target)).toEqual(['roots', 'token']);
      expect(merged['shop-net'].networks).toEqual({ mesh: { aliases: ['shop'] } });
      expect(Object.keys(merged)).toEqual(expect.arrayContaining(['galley', 'reviews-v1', 'shop', 'shop-capture']));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
