import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createLogger, traceFields } from '@flotilla/observe';
import { FlotillaError, type SocketAddress, StopStack, systemClock } from '@flotilla/runtime';
import { replaceDurably } from '@flotilla/runtime/disk';
import { createAdminToken } from '../control-plane/admin-token.ts';
import { startControlPlane } from '../control-plane/start.ts';
import { publishContext } from '../context/context.ts';
import { PortAllocator } from '../supervisor/ports.ts';
import { type LogOptions, loggerOptions } from './log-options.ts';
import { addressOption, allowsPlaintext, durationOption } from './option-values.ts';
import { untilSignal } from '@flotilla/service/process';
import { printLine } from '@flotilla/sockets/standard-streams';

export interface ControlPlaneCommandOptions extends LogOptions {
  readonly file?: readonly string[];
  readonly meshConfig?: string;
  readonly data?: string;
  readonly beginAnew?: readonly string[];
  readonly trustDomain: string;
  readonly maxCertificateTtl: string;
  readonly xds?: string;
  readonly xdsTls?: string;
  readonly ca?: string;
  readonly api?: string;
  readonly httpHosts?: readonly string[];
  readonly allowPlaintext?: boolean;
  readonly unlisted?: boolean;
  readonly otlpEndpoint?: string;
}

// Istio's ports, where Istio has one.
const DEFAULT_PORTS = { xds: 15010, xdsTls: 15012, ca: 8060, api: 9901 } as const;

/** `flotilla control-plane`: prints one JSON line when ready, runs until SIGINT or SIGTERM. */
export async function controlPlane(options: ControlPlaneCommandOptions): Promise<void> {
  const stopped = untilSignal();
  const stop = new StopStack();
  try {
    const dataDirectory = dataDirectoryOf(options, stop);
    const adminToken = process.env['FLOTILLA_ADMIN_TOKEN'] ?? createAdminToken();
    const allocator = new PortAllocator();
    const started = await startControlPlane({
      directories: (options.file ?? []).map((directory) => resolve(directory)),
      meshConfigFile: options.meshConfig ?? null,
      trustDomain: options.trustDomain,
      dataDirectory,
      beginAnew: options.beginAnew ?? [],
      addresses: {
        xds: await addressOf(options.xds, 'xds', allocator),
        xdsTls: await addressOf(options.xdsTls, 'xdsTls', allocator),
        ca: await addressOf(options.ca, 'ca', allocator),
        api: await addressOf(options.api, 'api', allocator),
      },
      maxCertificateTtlMs: durationOption('--max-certificate-ttl', options.maxCertificateTtl),
      adminToken,
      httpHosts: options.httpHosts ?? [],
      allowPlaintext: allowsPlaintext(options),
      otlpEndpoint: options.otlpEndpoint ?? process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? null,
      logger: await createLogger({ name: 'control-plane', ...loggerOptions(options), mixin: traceFields }),
      clock: systemClock,
    });
    stop.push('control plane', () => started.close());
    const rootsFile = join(dataDirectory, 'roots.pem');
    // Whoever verifies our certificates reads it.
    replaceDurably(rootsFile, started.rootsPem, 0o644);
    if (options.unlisted !== true) {
      const context = { name: 'control-plane', api: started.api, adminToken, pid: process.pid };
      stop.push('context', publishContext({ ...context, startedAtMs: systemClock.now() }));
    }
    const { xds, xdsTls, ca, api, faults } = started;
    printLine(JSON.stringify({ ready: true, xds, xdsTls, ca, api, rootsFile, faults }));
    await stopped;
  } finally {
    await stop.close();
  }
}

/** A port that the user named must be free; a default one gives way to a free one. */
async function addressOf(
  text: string | undefined,
  name: keyof typeof DEFAULT_PORTS,
  allocator: PortAllocator,
): Promise<SocketAddress> {
  if (text !== undefined) return addressOption(`--${name === 'xdsTls' ? 'xds-tls' : name}`, text);
  const host = '127.0.0.1';
  try {
    return { host, port: await allocator.claim(DEFAULT_PORTS[name], name) };
  } catch (error) {
    if (FlotillaError.from(error).code !== 'system') throw error;
    return { host, port: 0 };
  }
}

function dataDirectoryOf(options: ControlPlaneCommandOptions, stop: StopStack): string {
  if (options.data !== undefined) return resolve(options.data);
  const directory = mkdtempSync(join(tmpdir(), 'flotilla-'));
  stop.push('data directory', () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
