import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createLogger, type Logger } from '@flotilla/observe';
import { FlotillaError, type SocketAddress, StopStack, systemClock } from '@flotilla/runtime';
import { citadelIdentity, controlPlaneIdentity, tokenOf } from '@flotilla/service/identity';
import { ExitCode, exitCodeOf, untilSignal } from '@flotilla/service/process';
import { logBoundsOf, logFileOf, readSettings, settingsHelp } from '@flotilla/service/settings';
import type { AgentOptions, AgentPort } from './agent-options.ts';
import { hostAddresses } from './host-addresses.ts';
import { printMessage, standardOutput } from '@flotilla/sockets/standard-streams';
import { type AgentSettings, agentSettings, type PortSetting } from './settings.ts';
import { type Agent, startAgent } from './start-agent.ts';
import { serveStatus } from './status-server.ts';

/**
 * Runs a sidecar or gateway with its identity as the program, until SIGINT, SIGTERM or `/quitquitquit`, then drains. Resolves with the
 * exit code: 0 after an orderly stop, 1 when it failed or citadel refused, 2 for wrong settings.
 */
export async function runAgent(argv: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  if (argv.includes('--help') || argv.includes('-h')) {
    standardOutput().write(settingsHelp('proxy', 'data plane of a workload or a gateway', agentSettings));
    return ExitCode.done;
  }
  let values: AgentSettings;
  try {
    values = readSettings(agentSettings, argv, env);
  } catch (thrown) {
    printMessage(`proxy: ${FlotillaError.from(thrown).describe()}`);
    return ExitCode.usage;
  }
  const logger = await createLogger({
    name: values.workload,
    format: values.logFormat,
    level: values.logLevel,
    ...logFileOf(values),
  });
  const ending = new AbortController();
  const signalled = untilSignal().then(() => ending.abort());
  try {
    await serve(agentOptions(values, logger, ending.signal), values, signalled);
    return ExitCode.done;
  } catch (thrown) {
    if (ending.signal.aborted) return ExitCode.done;
    const { code, message, hint } = FlotillaError.from(thrown);
    logger.error(message, { code, ...(hint === undefined ? {} : { hint }) });
    return exitCodeOf(thrown);
  }
}

/**
 * Serves until `signalled` or `/quitquitquit`; a configuration that can never be used ends it too, and an identity that is
 * lost for good: whoever runs this program starts it again, with a new token.
 */
async function serve(options: AgentOptions, values: AgentSettings, signalled: Promise<void>): Promise<void> {
  const stop = new StopStack();
  let agent: Agent | null = null;
  let isStopping = false;
  try {
    if (values.statusAddress !== null) {
      const status = await serveStatus({
        address: values.statusAddress,
        hosts: values.httpHosts,
        logger: options.logger,
        missing() {
          if (isStopping) return 'stopping';
          if (agent === null) return `waiting for a certificate from ${options.ca.url}`;
          return agent.isReady() ? null : 'waiting for the configuration from pilot';
        },
        admin: () => agent?.admin ?? null,
      });
      stop.push('status port', () => status.close());
    }
    const lost = Promise.withResolvers<never>();
    lost.promise.catch(() => undefined); // Heard below, where it ends this process.
    // A token that is read from a file may be another one next time; one that was given with the start may not.
    const starting = startAgent(
      values.tokenFile === null ? { ...options, onIdentityLost: (error) => lost.reject(error) } : options,
    );
    starting.catch(() => undefined); // Heard below, unless a signal came first.
    agent = await Promise.race([starting, signalled.then(() => null)]);
    if (agent === null) return;
    const ended = Promise.race([signalled, agent.quit]);
    await Promise.race([ended, lost.promise, agent.ready.then(() => ended)]);
    isStopping = true;
    await agent.stop({ drainMs: values.drainTime, noticeMs: values.noticeTime });
  } finally {
    await stop.close();
  }
}

/** Throws `usage` for settings that do not go together. */
export function agentOptions(values: AgentSettings, logger: Logger, signal: AbortSignal): AgentOptions {
  const { trustDomain, ca, caRoots, discovery, interception } = values;
  const [first, ...more] = discovery;
  if (first === undefined)
    throw new FlotillaError('usage', '--discovery (or FLOTILLA_DISCOVERY) is needed: pilot, as <host:port>');
  if (ca === null) throw new FlotillaError('usage', '--ca (or FLOTILLA_CA) is needed: citadel, as <https://host:port>');
  if (values.certificateFile !== null || values.keyFile !== null) {
    throw new FlotillaError('usage', 'a proxy has its certificate from citadel: --certificate-file is for services');
  }
  if (values.token === null && values.tokenFile === null) {
    throw new FlotillaError('usage', 'no bootstrap token: give --token-file or FLOTILLA_TOKEN', {
      hint: '"flotilla token create --service-account NAME --workload NAME" makes one.',
    });
  }
  const ips = addressesOf(values);
  return {
    kind: values.type,
    workload: values.workload,
    namespace: values.namespace,
    serviceAccount: values.serviceAccount,
    labels: Object.fromEntries(values.label),
    instance: randomUUID(),
    ips,
    ports: values.port.map((port) => agentPort(port, ips[0])),
    interceptionMode: interception === 'none' ? 'NONE' : 'REDIRECT',
    httpProxyPort: values.httpProxyPort,
    admin: values.admin,
    localUsers: values.localUser,
    httpHosts: values.httpHosts,
    allowPlaintext: values.allowPlaintext,
    discovery: {
      addresses: [first, ...more],
      spiffeId: values.discoveryIdentity ?? controlPlaneIdentity(trustDomain, 'pilot'),
    },
    ca: { url: ca, spiffeId: citadelIdentity(values), ...(caRoots === null ? {} : { rootPem: readRoots(caRoots) }) },
    token: () => tokenOf(values),
    certificateTtlMs: values.certificateTtl,
    trustDomain,
    ...(values.envoy === null ? {} : { envoy: values.envoy }),
    concurrency: values.concurrency,
    logBounds: logBoundsOf(values),
    signal,
    logger,
    clock: systemClock,
    random: Math.random,
  };
}

function addressesOf({ ip }: AgentSettings): readonly [string, ...string[]] {
  const [first, ...more] = ip;
  return first === undefined ? hostAddresses() : [first, ...more];
}

function agentPort({ name, port, bind, app }: PortSetting, bindAddress: SocketAddress['host']): AgentPort {
  return { name, port, protocol: '', bindAddress, bindPort: bind, appAddress: '127.0.0.1', appPort: app };
}

function readRoots(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new FlotillaError('system', `cannot read --ca-roots ${file}: ${FlotillaError.from(error).message}`, {
      cause: error,
    });
  }
}
