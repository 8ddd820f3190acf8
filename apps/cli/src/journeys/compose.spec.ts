import { join } from 'node:path';
import { withPeer } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fetchPage } from './bookinfo-page.ts';
import { canarySuite } from './canary.suite.ts';
import { ComposeMesh } from './compose/compose-mesh.ts';
import type { Flow } from './compose/wire.ts';
import { tourSuite } from './tour.suite.ts';

const START_LIMIT_MS = 180_000;
const STOP_LIMIT_MS = 90_000;
const WORKLOADS = ['productpage-v1', 'details-v1', 'reviews-v1', 'reviews-v2', 'reviews-v3', 'ratings-v1'];
const CONTROL_PLANE = ['citadel', 'galley', 'pilot-1', 'pilot-2'];
const PROXIES = ['ingressgateway', ...WORKLOADS.map((name) => `${name}-proxy`)];

withPeer('dockerd', (dockerd) =>
  withPeer('corpus', (corpus) => {
    let mesh: ComposeMesh;
    let wire: Awaited<ReturnType<ComposeMesh['wire']['close']>>;

    beforeAll(async () => {
      mesh = await ComposeMesh.create(dockerd);
      await mesh.up();
    }, START_LIMIT_MS);
    afterAll(() => mesh?.stop(), STOP_LIMIT_MS);

    describe('deploy/compose, started', () => {
      it('serves the page, with configuration from its directory and from the API', async () => {
        expect((await fetchPage(mesh.ingress)).status).toBe(200);
        const versions = await mesh.countReviews(60);
        expect([...versions.keys()].sort()).toEqual(['v1', 'v2', 'v3']);
        await mesh.apply(join(corpus, 'istio-samples/bookinfo/networking/destination-rule-all.yaml'));
        wire = await mesh.wire.close();
      }, 30_000);

      it('starts no application before its proxy is ready, and no proxy before its rules are set', async () => {
        for (const workload of WORKLOADS) {
          const captured = await mesh.events.until(`${workload}-capture`, 'die');
          const started = await mesh.events.until(`${workload}-proxy`, 'start');
          const ready = await mesh.events.until(`${workload}-proxy`, 'health_status: healthy');
          const application = await mesh.events.until(workload, 'start');
          expect(captured.exitCode).toBe(0);
          expect(captured.atNanoseconds).toBeLessThan(started.atNanoseconds);
          expect(ready.atNanoseconds).toBeLessThan(application.atNanoseconds);
        }
      });

      it('has nothing on the network between containers but TLS, from the first packet', async () => {
        const outside = await outsideAddresses(mesh);
        const within = ({ from, to }: Flow) => !outside.has(from) && !outside.has(to);
        const flows = wire.flows.filter(within);
        expect(flows.filter(({ first }) => !isTls(first)).map(({ name }) => name)).toEqual([]);
        const plaintext = wire.payloads
          .filter(within)
          .filter(({ first }) => /HTTP\/1\.|^(GET|POST|PRI) /.test(first.toString('latin1')));
        expect(plaintext.map(({ name, first }) => `${name} ${first.toString('latin1')}`)).toEqual([]);
        // The recording is of the mesh: its certificates, its configuration and its requests are in it.
        for (const port of [8060, 9901, 15012, 9080])
          expect(
            flows.some(({ name }) => name.endsWith(`:${port}`)),
            `port ${port}`,
          ).toBe(true);
        // And it tells: what comes in from outside of the mesh is HTTP as it is.
        expect(wire.payloads.some((flow) => !within(flow) && flow.first.toString('latin1').includes('GET /'))).toBe(
          true,
        );
      });
    });

    tourSuite("Bookinfo's tour with Istio's own files, against containers", {
      start: async () => ({
        ingress: mesh.ingress,
        seconds: mesh.seconds,
        apply: (...files) => mesh.apply(...files),
        countReviews: (count) => mesh.countReviews(count),
        metrics: (workload) => mesh.metrics(workload),
        proxyStatus: () => mesh.run('proxy-status'),
        stop: async () => undefined, // Goes on below.
      }),
      file: (name) => join(corpus, 'istio-samples/bookinfo/networking', `${name}.yaml`),
      readyWithinSeconds: 60,
    });

    canarySuite('deploy/compose', async () => ({
      ingress: mesh.ingress,
      environment: mesh.environment,
      metrics: [await mesh.metricsUrl('productpage-v1')],
    }));

    describe('deploy/compose, disturbed and stopped', () => {
      it('a proxy that was killed comes back into the network of its workload, and serves again', async () => {
        const pid = Number(
          await mesh.daemon.docker('inspect', '--format', '{{.State.Pid}}', await mesh.containerOf('reviews-v3-proxy')),
        );
        process.kill(pid, 'SIGKILL');
        await mesh.events.until('reviews-v3-proxy', 'health_status: healthy', 2);
        expect([...(await mesh.countReviews(30)).keys()].sort()).toEqual(['v1', 'v2', 'v3']);
        expect(mesh.events.of('reviews-v3', 'start')).toHaveLength(1);
      }, 30_000);

      it(
        'stops in order: applications before their proxies, everything with 0 in its time',
        async () => {
          const before = mesh.events.all.length;
          await mesh.compose('stop');
          for (const service of [...CONTROL_PLANE, ...PROXIES, ...WORKLOADS]) {
            const ended = mesh.events.all
              .slice(before)
              .filter((event) => event.service === service && event.action === 'die');
            const exitCodes = ended.map(({ exitCode }) => exitCode);
            if (exitCodes.join() === '0') continue;
            expect.fail(
              `${service} ended with ${exitCodes.join()}: ${await mesh.compose('logs', '--tail=20', service)}`,
            );
          }
          for (const workload of WORKLOADS) {
            const [application, proxy] = [workload, `${workload}-proxy`].map((service) =>
              mesh.events.of(service, 'die').at(-1),
            );
            expect(application?.atNanoseconds, workload).toBeLessThan(proxy?.atNanoseconds ?? 0n);
          }
        },
        STOP_LIMIT_MS,
      );

      it(
        'leaves nothing when it is taken down',
        async () => {
          await mesh.compose('down', '--volumes');
          expect(await mesh.daemon.docker('ps', '--all', '--quiet')).toBe('');
          expect(await mesh.daemon.docker('volume', 'ls', '--quiet')).toBe('');
          const networks = await mesh.daemon.docker('network', 'ls', '--format', '{{.Name}}');
          expect(networks.split('\n').sort()).toEqual(['bridge', 'host', 'none']);
        },
        STOP_LIMIT_MS,
      );
    });
  }),
);

/** A TLS record of the handshake: what a connection begins with, in either direction. */
function isTls(first: Buffer): boolean {
  return first[0] === 0x16 && first[1] === 0x03;
}

/** Addresses on the mesh's network that are no container's: its gateway, where clients from outside come in. */
async function outsideAddresses({ daemon }: ComposeMesh): Promise<ReadonlySet<string>> {
  const format = '{{range .IPAM.Config}}{{.Gateway}}{{end}}';
  const gateway = await daemon.docker('network', 'inspect', '--format', format, 'compose_mesh');
  return new Set([gateway, daemon.address, daemon.gateway]);
}
