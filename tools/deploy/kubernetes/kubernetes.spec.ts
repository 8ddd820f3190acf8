import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { withPeer } from '@flotilla/testing';
import { describe, expect, it } from 'vitest';
import { IMAGES, imageReference, versionOf } from '../../images/plan.ts';
import { ASK_LIMIT_MS, unknownVariables } from '../program-settings.ts';
import { excessRights } from './hardening.ts';
import { danglingReferences } from './references.ts';
import { filesAndNamed, kubernetesFolder, type Manifest, parseManifests, render, renderSecrets } from './render.ts';
import { strictFaults } from './schemas.ts';
import { workloadKinds, workloadsOf } from './workloads.ts';

const root = resolve(import.meta.dirname, '../../..');
// The compiler reads all types of the kinds in use.
const SCHEMA_TIMEOUT_MS = 60_000;

withPeer('kustomize', (program) => {
  const secrets = renderSecrets(program);
  const base = render(program, join(kubernetesFolder, 'base'));
  const bookinfo = render(program, join(kubernetesFolder, 'bookinfo'));

  describe('the manifests for Kubernetes', () => {
    it(
      'hold to the published schemas, without a field that is not there',
      async () => expect(await strictFaults([...bookinfo, ...secrets])).toEqual([]),
      SCHEMA_TIMEOUT_MS,
    );

    it.each([
      ['base', base],
      ['Bookinfo', bookinfo],
    ])('%s: every name names something: accounts, Secrets, ConfigMaps, files, ports, selectors', (_, manifests) => {
      expect(danglingReferences([...manifests, ...secrets])).toEqual([]);
    });

    it('give no container more rights than it needs', () => {
      expect(workloadsOf(bookinfo).flatMap(excessRights)).toEqual([]);
    });

    it('survive the loss of a node: every service of the mesh has two replicas, a budget and is spread', () => {
      for (const { name, template } of workloadsOf(base).filter((workload) => workload.name !== 'redis')) {
        const manifest = base.find(({ kind, metadata }) => workloadKinds.includes(kind) && metadata.name === name);
        expect(manifest).toMatchObject({ spec: { replicas: 2 } });
        expect(template.spec?.topologySpreadConstraints).toHaveLength(1);
        expect(
          base.filter(({ kind, metadata }) => kind === 'PodDisruptionBudget' && metadata.name === name),
        ).toHaveLength(1);
      }
    });

    it('run the images that "npm run images" makes', () => {
      const made = IMAGES.map((name) => imageReference(name, versionOf(root)));
      const used = new Set(workloadsOf(bookinfo).flatMap(({ containers }) => containers.map(({ image }) => image)));
      expect([...used].filter((image) => !image?.startsWith('redis:')).sort()).toEqual([...made].sort());
    });

    it(
      'set only what the services know',
      () => {
        const containers = workloadsOf(bookinfo).flatMap((workload) => workload.containers);
        const unknown = containers.flatMap(({ image = '', env = [] }) =>
          unknownVariables(
            image,
            env.map(({ name }) => name),
          ),
        );
        expect(unknown).toEqual([]);
      },
      ASK_LIMIT_MS,
    );

    it('hold an application back until its proxy is ready, after the rules are set', () => {
      const meshed = workloadsOf(bookinfo).filter(({ namespace }) => namespace === 'default');
      expect(meshed).toHaveLength(6);
      for (const { template } of meshed) {
        expect(template.spec?.initContainers).toMatchObject([
          { name: 'capture' },
          { name: 'proxy', restartPolicy: 'Always', startupProbe: { httpGet: { path: '/healthz/ready' } } },
        ]);
      }
    });
  });

  describe('the checks', () => {
    const [deployment] = parseManifests(`
apiVersion: apps/v1
kind: Deployment
metadata: { name: shop, namespace: default }
spec:
  selector: { matchLabels: { app: shop } }
  template:
    metadata: { labels: { app: shop } }
    spec:
      containers: [{ name: shop, image: shop, prots: [] }]
`);

    it(
      'find a field that does not exist, wherever it stands',
      async () =>
        expect(await strictFaults([deployment as Manifest])).toEqual([
          expect.stringMatching(/^Deployment shop: .*prots.* does not exist in type 'IContainer'/),
        ]),
      SCHEMA_TIMEOUT_MS,
    );

    it('find values of the wrong kind, and kinds that do not exist', async () => {
      const [wrong, unknown] = parseManifests(
        'apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: "9080"}]}\n---\napiVersion: v1\nkind: Servics\nmetadata: {name: b}\n',
      );
      expect(await strictFaults([wrong as Manifest])).toEqual([
        expect.stringContaining('ports/0/port must be integer'),
      ]);
      expect(await strictFaults([unknown as Manifest])).toEqual([expect.stringMatching(/^Servics b: /)]);
    });

    it('find names that name nothing', () => {
      const without = (kind: string) => bookinfo.filter((manifest) => manifest.kind !== kind);
      expect(danglingReferences(bookinfo)).toContain('galley: no Secret flotilla-galley in istio-system');
      expect(danglingReferences([...without('ServiceAccount'), ...secrets])).toContain(
        'pilot: no ServiceAccount pilot',
      );
      expect(danglingReferences([...without('Deployment'), ...secrets])).toContain('Service pilot: selects nothing');
      const renamed = JSON.parse(
        JSON.stringify([...bookinfo, ...secrets]).replaceAll('"targetPort":"api"', '"targetPort":"apo"'),
      );
      expect(danglingReferences(renamed)).toContain('Service pilot: pilot has no port apo');
      const moved = JSON.parse(
        JSON.stringify([...bookinfo, ...secrets]).replaceAll('/secrets/token"', '/secrets/tokens"'),
      );
      expect(danglingReferences(moved)).toContain('pilot: FLOTILLA_TOKEN_FILE: no /secrets/tokens in the container');
    });

    it('find rights that are too many', () => {
      const loose = JSON.parse(
        JSON.stringify(base)
          .replaceAll('"readOnlyRootFilesystem":true', '"privileged":true')
          .replaceAll('"drop":["ALL"]', '"add":["SYS_ADMIN"]'),
      );
      expect(workloadsOf(loose).flatMap(excessRights)).toEqual(
        expect.arrayContaining([
          'pilot/pilot: is privileged',
          'pilot/pilot: keeps capabilities',
          'pilot/pilot: adds the capabilities SYS_ADMIN',
        ]),
      );
    });
  });
});

it('every file below deploy/kubernetes is part of a kustomization', () => {
  const { files, named } = filesAndNamed();
  expect(files.filter((path) => !named.has(path))).toEqual([]);
});

it('no file below deploy names another registry than the default', () => {
  for (const path of globSync(join(root, 'deploy/**/*.{yaml,yml}'))) {
    for (const [, image = ''] of readFileSync(path, 'utf8').matchAll(/image: *([^\s#]+)/g)) {
      expect(`${path}: ${image}`).not.toMatch(/: [\w-]+\.[\w.-]+\//);
    }
  }
});
