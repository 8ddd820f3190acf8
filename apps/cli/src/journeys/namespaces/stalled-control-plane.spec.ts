import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { runAheadOfOthers, withPeer } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Load, type LoadReport } from '../load.ts';
import { fetchText, until } from '../services/poll.ts';
import { service } from './bookinfo.ts';
import type { MeshPlan } from './mesh-plan.ts';
import { NamespacedMesh, PROXY_UID } from './namespaced-mesh.ts';
import { Relay, type RelayMode } from './relay.ts';

/** Longer than any peer waits for a sign of life. `FLOTILLA_STALL_SECONDS=60` for the long run. */
const FAULT_MS = Number(process.env['FLOTILLA_STALL_SECONDS'] ?? 35) * 1_000;
const REQUESTS_PER_SECOND = 100;
const RECOVERY_MS = 90_000;
/** Renewed at half of it: in the midst of faults. */
const CERTIFICATE_TTL = ['--certificate-ttl', '240s'];
/** A fault that outlives a certificate rightly fails requests: none begins before there is one for longer. */
const VALID_FOR_MS = FAULT_MS + 20_000;

const change = (number: number) => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: in, namespace: default }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: 8080, name: http, protocol: HTTP }, hosts: ['*'] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web, namespace: default }
spec:
  hosts: ['*']
  gateways: [in]
  http:
    - route: [{ destination: { host: web.default.svc.cluster.local } }]
      headers: { response: { set: { x-change: '${number}' } } }
`;

withPeer('network-namespaces', () => {
  describe('a control plane that does not answer', () => {
    const relays: Relay[] = [];
    let mesh: NamespacedMesh;
    let ingress: string;
    let changes = 0;

    const plan: MeshPlan = {
      workloads: [
        {
          name: 'web',
          serviceAccount: 'web',
          labels: { app: 'web' },
          command: [process.execPath, join(import.meta.dirname, 'application.ts'), 'http=8080'],
          agentSettings: CERTIFICATE_TTL,
        },
      ],
      gateway: { name: 'ingress', port: 8080, agentSettings: CERTIFICATE_TTL },
      config: (network) => {
        const { ipv4, ipv6 } = network.virtualAddress(0);
        return service('web', [ipv4, ipv6], [{ name: 'http', port: 80, targetPort: 8080 }]);
      },
      names: () => ({}),
      async dialledBy(address, network) {
        const relay = await Relay.open(address, network.ipv4);
        relays.push(relay);
        return relay.address;
      },
    };

    let runAsBefore = (): void => undefined;
    beforeAll(async () => {
      runAsBefore = runAheadOfOthers();
      mesh = await NamespacedMesh.start(plan);
      ingress = mesh.host('ingress').ipv4;
      await configure();
    }, 180_000);
    afterAll(async () => {
      await mesh?.stop();
      for (const relay of relays) relay.close();
      runAsBefore();
    }, 60_000);

    /** A change reaches the gateway: the control plane is heard again. */
    async function configure(): Promise<void> {
      changes += 1;
      const seen = async (): Promise<boolean> => {
        const { status, headers } = await fetch(`http://${ingress}:8080/`);
        return status === 200 && headers.get('x-change') === String(changes);
      };
      await mesh.applyText(change(changes));
      await until(`change ${changes} is in force`, seen, RECOVERY_MS);
    }

    /** Every certificate is good for so long. */
    async function hasTime(validForMs: number): Promise<boolean> {
      for (const name of ['web', 'ingress']) {
        const { stdout } = await mesh.run(name, ['curl', '-s', 'http://127.0.0.1:15000/certs'], PROXY_UID);
        const ends = [...stdout.matchAll(/"expiration_time":\s*"([^"]+)"/g)].map(([, time]) => Date.parse(time ?? ''));
        // The roots, which stand there too, are good for years.
        if (ends.length === 0 || Math.min(...ends) < Date.now() + validForMs) return false;
      }
      return true;
    }

    const relayed = (mode: RelayMode) => () => {
      for (const relay of relays) relay.mode = mode;
    };
    /** What the proxies are sent by the control plane, and send to it, goes nowhere. */
    const drop = async (action: '-I' | '-D'): Promise<void> => {
      const ports = relays.map(({ address }) => address.split(':')[1]).join(',');
      for (const host of [mesh.host('web'), mesh.host('ingress')]) {
        for (const [chain, ends] of [
          ['INPUT', '--sports'],
          ['OUTPUT', '--dports'],
        ] as const) {
          const rule = [action, chain, '-p', 'tcp', '-m', 'multiport', ends, ports, '-j', 'DROP'];
          const { code, stderr } = await mesh.network.run(host, ['iptables', ...rule]);
          if (code !== 0) throw new Error(`iptables ${rule.join(' ')}: ${stderr}`);
        }
      }
    };

    it.each<[string, () => unknown, () => unknown]>([
      ['is stopped', () => mesh.controlPlane.kill('SIGSTOP'), () => mesh.controlPlane.kill('SIGCONT')],
      ['is cut off, its packets dropped', () => drop('-I'), () => drop('-D')],
      ['sends and takes a byte a second', relayed('slow'), relayed('pass')],
      ['answers garbage', relayed('garbage'), relayed('pass')],
    ])(
      '%s: no request fails, and what changes afterwards arrives',
      async (what, begin, end) => {
        const target = { host: ingress, port: 8080, path: '/', authority: 'web' };
        const load = new Load(target, REQUESTS_PER_SECOND);
        let report: LoadReport;
        try {
          await begin();
          await delay(FAULT_MS);
        } finally {
          await end();
          report = await load.stop();
        }
        const { sent, failures, stalls } = report;
        console.log(`the control plane ${what}: ${sent} requests, ${failures.length} failed, ${stalls.length} stalls`);
        expect(failures).toEqual([]);
        expect(sent).toBeGreaterThanOrEqual((0.9 * FAULT_MS * REQUESTS_PER_SECOND) / 1_000);
        await configure();
        await until('certificates are renewed', () => hasTime(VALID_FOR_MS), RECOVERY_MS);
        expect(mesh.ended()).toEqual([]);
        expect((await fetchText(`http://${ingress}:15021/healthz/ready`)).status).toBe(200);
      },
      FAULT_MS + 2 * RECOVERY_MS + 60_000,
    );
  });
});
