import { readFileSync } from 'node:fs';
import { createLogger } from '@flotilla/observe';
import { type AgentPort, startAgent } from '@flotilla/proxy';
import { FlotillaError, systemClock } from '@flotilla/runtime';
import { ExitCode } from '@flotilla/service/process';
import { type LogOptions, loggerOptions } from './log-options.ts';
import { addressOption, durationOption } from './option-values.ts';
import { untilSignal } from '@flotilla/service/process';

export interface AgentCommandOptions extends LogOptions {
  readonly type: 'sidecar' | 'router';
  readonly workload: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly label?: readonly string[];
  readonly ip: string;
  readonly port?: readonly string[];
  readonly interception: 'none' | 'redirect';
  readonly httpProxyPort?: string;
  readonly admin: string;
  readonly discovery: string;
  readonly ca: string;
  readonly caRoots?: string;
  readonly trustDomain: string;
  readonly certificateTtl: string;
  readonly envoy?: string;
}

/** `flotilla agent`: a sidecar or gateway with its identity, until SIGINT or SIGTERM. */
export async function agent(options: AgentCommandOptions): Promise<void> {
  const stopped = untilSignal();
  const token = process.env['FLOTILLA_TOKEN'];
  if (token === undefined) {
    throw new FlotillaError('usage', 'FLOTILLA_TOKEN is not set', {
      hint: 'Make a bootstrap token with "flotilla token --service-account NAME".',
    });
  }
  const logger = await createLogger({ name: options.workload, ...loggerOptions(options) });
  const starting = startAgent({
    kind: options.type,
    workload: options.workload,
    namespace: options.namespace,
    serviceAccount: options.serviceAccount,
    labels: Object.fromEntries((options.label ?? []).map(parseLabel)),
    ip: options.ip,
    ports: (options.port ?? []).map((text) => parsePort(text, options.ip)),
    interceptionMode: options.interception === 'none' ? 'NONE' : 'REDIRECT',
    httpProxyPort:
      options.httpProxyPort === undefined ? null : parsePortNumber('--http-proxy-port', options.httpProxyPort),
    admin: addressOption('--admin', options.admin),
    discovery: { address: addressOption('--discovery', options.discovery) },
    ca: { url: options.ca, ...(options.caRoots === undefined ? {} : { rootPem: readRoots(options.caRoots) }) },
    token,
    certificateTtlMs: durationOption('--certificate-ttl', options.certificateTtl),
    trustDomain: options.trustDomain,
    ...(options.envoy === undefined ? {} : { envoy: options.envoy }),
    logger,
    clock: systemClock,
    random: Math.random,
  });
  const running = await Promise.race([starting, stopped.then(() => null)]);
  // Waiting for citadel has no end of its own; a signal ends it.
  if (running === null) process.exit(ExitCode.done);
  // A configuration that can never be used rejects `ready`; being ready is no reason to end.
  await Promise.race([stopped, running.ready.then(() => stopped)]);
  await running.stop();
}

function parseLabel(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at <= 0) throw new FlotillaError('usage', `--label ${text}: write name=value`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** `name=http,port=9080,bind=21001,app=21002`; a gateway's port has no `app`. */
function parsePort(text: string, ip: string): AgentPort {
  const fields = new Map(text.split(',').map((field) => parseLabel(field)));
  const known = ['name', 'port', 'bind', 'app'];
  const unknown = [...fields.keys()].filter((name) => !known.includes(name));
  if (unknown.length > 0 || !fields.has('name') || !fields.has('port')) {
    throw new FlotillaError('usage', `--port ${text}: write name=http,port=9080,bind=21001,app=21002`);
  }
  const number = (name: string, fallback: string) => parsePortNumber(`--port ${name}`, fields.get(name) ?? fallback);
  const port = number('port', '');
  return {
    name: fields.get('name') ?? '',
    port,
    protocol: '',
    bindAddress: ip,
    bindPort: number('bind', String(port)),
    appAddress: '127.0.0.1',
    appPort: number('app', '0'),
  };
}

function parsePortNumber(option: string, text: string): number {
  const port = Number(text);
  if (text !== '' && Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new FlotillaError('usage', `${option}: "${text}" is not a port number`);
}

function readRoots(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new FlotillaError('invalid', `cannot read --ca-roots ${file}: ${FlotillaError.from(error).message}`, {
      cause: error,
    });
  }
}
