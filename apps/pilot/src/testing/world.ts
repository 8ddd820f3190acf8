import { readFileSync } from 'node:fs';
import { create } from '@bufbuild/protobuf';
import { createClient, type Transport } from '@connectrpc/connect';
import { silentLogger } from '@flotilla/observe';
import { createInMemoryTransport } from '@flotilla/rpc';
import { systemClock } from '@flotilla/runtime';
import { PilotService, type ProxyStatus } from '@flotilla/wire/flotilla/pilot/v1/pilot_pb.js';
import { type MeshConfig, MeshConfigSchema } from '@flotilla/wire/istio/mesh/v1alpha1/config_pb.js';
import { type Pilot, type PilotOptions, startPilot } from '../pipeline.ts';
import { FakeGalley } from './fake-galley.ts';
import type { NodeInit } from './xds-stream.ts';

const LOOPBACK = { host: '127.0.0.1', port: 0 };

export interface World {
  readonly galley: FakeGalley;
  readonly pilot: Pilot<typeof LOOPBACK>;
  readonly api: Transport;
  proxies(): Promise<readonly ProxyStatus[]>;
  close(): Promise<void>;
}

/** A pilot over real sockets, with a galley in this process. */
export async function startWorld(
  yaml: string,
  options: Partial<PilotOptions<typeof LOOPBACK>> = {},
  galley = new FakeGalley(),
): Promise<World> {
  if (yaml !== '') galley.write(yaml);
  const pilot = await startPilot({
    galley: galley.transport,
    bus: galley.bus,
    xds: LOOPBACK,
    xdsTls: null,
    identity: null,
    trustDomain: 'cluster.local',
    meshConfig: meshConfig({}),
    debounce: { quietMs: 1, maxMs: 20 },
    logger: silentLogger,
    clock: systemClock,
    random: () => 0.5,
    ...options,
  });
  const api = createInMemoryTransport(pilot.routes);
  const client = createClient(PilotService, api);
  return {
    galley,
    pilot,
    api,
    proxies: async () => (await client.listProxies({})).proxies,
    close: () => pilot.close(),
  };
}

export function meshConfig(fields: Parameters<typeof create<typeof MeshConfigSchema>>[1]): MeshConfig {
  return create(MeshConfigSchema, fields);
}

export interface SidecarOptions {
  readonly workload?: string;
  readonly namespace?: string;
  readonly serviceAccount?: string;
  readonly labels?: Record<string, string>;
  readonly locality?: { readonly region: string; readonly zone: string; readonly subZone: string };
  readonly instance?: string;
  /** The workload's addresses, separated by commas. */
  readonly ips?: string;
  /** Explicit mode, with the port of the HTTP proxy listener; 0 for none. */
  readonly httpProxyPort?: number;
  readonly ports?: readonly { readonly [field: string]: string | number }[];
}

/** A node as an agent sends it; without `httpProxyPort` in redirect mode. */
export function sidecarNode(options: SidecarOptions = {}): NodeInit {
  return nodeOf('sidecar', options);
}

export function routerNode(options: SidecarOptions = {}): NodeInit {
  return nodeOf('router', options);
}

function nodeOf(type: 'sidecar' | 'router', options: SidecarOptions): NodeInit {
  const { workload = 'productpage-v1', namespace = 'default', serviceAccount = 'default' } = options;
  const isExplicit = options.httpProxyPort !== undefined;
  const hasProxyPort = isExplicit && options.httpProxyPort !== 0;
  return {
    id: `${type}~127.0.0.1~${workload}.${namespace}~${namespace}.svc.cluster.local`,
    cluster: `${workload}.${namespace}`,
    userAgentName: 'test',
    ...(options.locality === undefined ? {} : { locality: options.locality }),
    metadata: {
      NAMESPACE: namespace,
      WORKLOAD_NAME: workload,
      SERVICE_ACCOUNT: serviceAccount,
      LABELS: options.labels ?? {},
      ...(options.instance === undefined ? {} : { FLOTILLA_INSTANCE: options.instance }),
      ...(options.ips === undefined ? {} : { INSTANCE_IPS: options.ips }),
      INTERCEPTION_MODE: isExplicit ? 'NONE' : 'REDIRECT',
      ...(hasProxyPort ? { HTTP_PROXY_PORT: String(options.httpProxyPort) } : {}),
      ...(options.ports === undefined ? {} : { FLOTILLA_PORTS: [...options.ports] }),
    },
  };
}

/** The WorkloadGroup of a sidecar, as a document. */
export function workloadGroup({
  workload = 'productpage-v1',
  namespace = 'default',
  ...options
}: SidecarOptions): string {
  return JSON.stringify({
    apiVersion: 'networking.istio.io/v1',
    kind: 'WorkloadGroup',
    metadata: { name: workload, namespace },
    spec: {
      metadata: { labels: options.labels ?? {} },
      template: { serviceAccount: options.serviceAccount ?? 'default' },
    },
  });
}

/** A file of Istio's samples. */
export function sample(corpus: string, path: string): string {
  return readFileSync(`${corpus}/istio-samples/${path}`, 'utf8');
}
