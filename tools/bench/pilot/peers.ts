import { build } from 'esbuild';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePorts } from '@flotilla/testing';
import { MEASURED_CORE, type Pinned, startPinned } from '../proxy/pinned.ts';
import { startGalleyApi } from './galley-api.ts';
import { startKubeApi } from './kube-api.ts';
import type { Resource } from './world.ts';

export const PEER_NAMES = ['flotilla', 'istiod'] as const;
export type PeerName = (typeof PEER_NAMES)[number];

/** A control plane on the measured core, and where its configuration comes from on the other. */
export interface Peer {
  readonly process: Pinned;
  readonly xdsPort: number;
  /** From the start of its process until it said that it was ready. */
  readonly readyMs: number;
  /** Changes a resource; returns the time (`performance.now()`) at which the peer could first know of it. */
  apply(resource: Resource): number;
  stop(): Promise<void>;
}

export interface PeerOptions {
  readonly folder: string;
  readonly debounceMs: number;
  /** istiod's program. */
  readonly istiod: string;
  /** Folder for CPU profiles of our pilot. */
  readonly profile: string | null;
}

/** Time in which a profile is written. */
const PROFILE_MS = 5_000;
const READY_MS = 120_000;

export function startPeer(name: PeerName, resources: readonly Resource[], options: PeerOptions): Promise<Peer> {
  return name === 'flotilla' ? startFlotilla(resources, options) : startIstiod(resources, options);
}

/** Pilot as it is shipped: a bundle. */
async function startFlotilla(
  resources: readonly Resource[],
  { folder, debounceMs, profile }: PeerOptions,
): Promise<Peer> {
  const api = await startGalleyApi(resources);
  const program = await bundlePilot(folder);
  const [xdsPort = 0, readyPort = 0] = await freePorts(2);
  const profiling = profile === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
  const places = [api.url, String(xdsPort), String(readyPort), String(debounceMs)];
  const command = [process.execPath, ...profiling, program, ...places];
  const { pilot, readyMs } = await startMeasured(command, `http://127.0.0.1:${readyPort}/`);
  return {
    process: pilot,
    xdsPort,
    readyMs,
    apply(resource) {
      const at = performance.now();
      api.apply(resource);
      return at;
    },
    async stop() {
      if (profile !== null) {
        process.kill(pilot.pid, 'SIGTERM');
        await delay(PROFILE_MS);
      }
      await pilot.stop();
      await api.close();
    },
  };
}

async function bundlePilot(folder: string): Promise<string> {
  const outfile = join(folder, 'pilot.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'served.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node26',
    keepNames: true,
    external: ['koffi'],
    logLevel: 'error',
    // Some dependencies are CommonJS and call require for Node's own modules.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  return outfile;
}

/** istiod in a cluster of nothing but its configuration: no injection, no certificates, xDS without TLS. */
async function startIstiod(resources: readonly Resource[], { folder, debounceMs, istiod }: PeerOptions): Promise<Peer> {
  mkdirSync(folder, { recursive: true });
  const api = await startKubeApi(resources);
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const [xds = 0, http = 0, monitoring = 0] = await freePorts(3);
  const environment = {
    PILOT_DEBOUNCE_AFTER: `${debounceMs}ms`,
    PILOT_DEBOUNCE_MAX: '10s',
    POD_NAMESPACE: 'istio-system',
    ENABLE_CA_SERVER: 'false',
    INJECTION_WEBHOOK_CONFIG_NAME: '',
    VALIDATION_WEBHOOK_CONFIG_NAME: '',
    PILOT_ENABLE_GATEWAY_API: 'false',
  };
  const command = [
    ...['env', ...Object.entries(environment).map(([name, value]) => `${name}=${value}`), istiod, 'discovery'],
    ...['--kubeconfig', file('kubeconfig.json', kubeconfig(api.url)), '--registries=Kubernetes'],
    ...['--meshConfig', file('mesh.yaml', '{}\n'), '--networksConfig', '/nonexistent'],
    ...['--grpcAddr', `127.0.0.1:${xds}`, '--httpAddr', `127.0.0.1:${http}`],
    ...['--monitoringAddr', `127.0.0.1:${monitoring}`, '--secureGRPCAddr', '', '--httpsAddr', '', '--ctrlz_port', '0'],
    ...['--log_output_level', 'default:error'],
  ];
  const { pilot, readyMs } = await startMeasured(command, `http://127.0.0.1:${http}/ready`);
  return {
    process: pilot,
    xdsPort: xds,
    readyMs,
    apply(resource) {
      const at = performance.now();
      api.apply(resource);
      return at;
    },
    async stop() {
      await pilot.stop();
      api.close();
    },
  };
}

async function startMeasured(command: readonly string[], readyUrl: string) {
  const startedAt = performance.now();
  const pilot = await startPinned(MEASURED_CORE, command, []);
  while (performance.now() - startedAt < READY_MS) {
    const isReady = await fetch(readyUrl).then(
      async (answer) => (await answer.text(), answer.ok),
      () => false, // It does not listen yet.
    );
    if (isReady) return { pilot, readyMs: performance.now() - startedAt };
    await Promise.race([pilot.ended, delay(5)]); // polls a process that cannot call back
  }
  await pilot.stop();
  throw new Error(`${command[0] ?? ''} is not ready after ${READY_MS} ms`);
}

function kubeconfig(server: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'bench',
    clusters: [{ name: 'bench', cluster: { server } }],
    contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'bench' } }],
    users: [{ name: 'bench', user: {} }],
  });
}
