import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { withPeer } from '@flotilla/testing';
import { describe, expect, it } from 'vitest';
import { type ComposeService, readCompose } from './compose.ts';
import { kubernetesFolder, parseManifests, render } from './kubernetes/render.ts';
import { uncheckedContainers } from './kubernetes/hardening.ts';
import { workloadsOf } from './kubernetes/workloads.ts';

const dockerfile = readFileSync(resolve(import.meta.dirname, '../../deploy/docker/Dockerfile'), 'utf8');
/** Images of Flotilla that bring a health check along. */
const checkedImages = dockerfile
  .split(/^FROM /m)
  .filter((stage) => /^HEALTHCHECK /m.test(stage))
  .map((stage) => /^\S+ AS (\S+)/.exec(stage)?.[1] ?? '');

/** What a container of compose lacks, as one line each. */
function faultsOf(name: string, service: ComposeService): string[] {
  const faults: string[] = [];
  for (const limit of ['mem_limit', 'cpus', 'pids_limit'] as const) {
    if (service[limit] === undefined) faults.push(`${name}: has no ${limit}`);
  }
  const [, image = ''] = /^flotilla\/([^:]+):/.exec(service.image ?? '') ?? [];
  const isChecked = service.healthcheck?.test !== undefined || checkedImages.includes(image);
  // One of these does nothing, the other ends.
  if (!isChecked && !/-(net|capture)$/.test(name)) faults.push(`${name}: nothing asks whether it is healthy`);
  return faults;
}

describe('every container of deploy/compose', () => {
  const services = Object.entries(readCompose('compose.yaml').services);

  it('has a health check, and limits of memory, CPUs and processes', () => {
    expect(services.length).toBeGreaterThan(30);
    expect(services.flatMap(([name, service]) => faultsOf(name, service))).toEqual([]);
  });

  it('is told apart from one that has none', () => {
    expect(faultsOf('shop', { image: 'shop' })).toEqual([
      'shop: has no mem_limit',
      'shop: has no cpus',
      'shop: has no pids_limit',
      'shop: nothing asks whether it is healthy',
    ]);
    expect(checkedImages).toEqual(['citadel', 'galley', 'pilot', 'proxy', 'bookinfo']);
  });

  it('fits a machine with one CPU, which Docker would refuse more of', () => {
    expect(services.filter(([, { cpus = 0 }]) => cpus > 1).map(([name]) => name)).toEqual([]);
  });
});

describe('every container of deploy/kubernetes', () => {
  withPeer('kustomize', (program) => {
    it('is probed for being ready and being alive, and says what it needs and may take', () => {
      const workloads = workloadsOf(render(program, join(kubernetesFolder, 'bookinfo')));
      expect(workloads.flatMap(uncheckedContainers)).toEqual([]);
    });
  });

  it('is told apart from one that is not', () => {
    const [workload] = workloadsOf(
      parseManifests(`
apiVersion: apps/v1
kind: Deployment
metadata: { name: shop }
spec: { template: { spec: { containers: [{ name: shop, image: shop }] } } }
`),
    );
    expect(workload === undefined ? [] : uncheckedContainers(workload)).toEqual([
      'shop/shop: has no readinessProbe',
      'shop/shop: has no livenessProbe',
      'shop/shop: says nothing of its requests of cpu',
      'shop/shop: says nothing of its requests of memory',
      'shop/shop: says nothing of its limits of memory',
    ]);
  });
});
