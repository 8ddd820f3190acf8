import { join } from 'node:path';
import { formatSpiffeId } from '@flotilla/spiffe';
import { CONTROL_PLANE_IDENTITY } from '../control-plane/control-plane-identity.ts';
import type { MeshProcesses } from './processes.ts';
import type { PlannedProxy } from './plan.ts';
import { SERVICE_LABEL } from './services.ts';

const LOOPBACK = '127.0.0.1';

/** The `flotilla agent …` command line of one planned proxy. The token travels by environment, not here. */
export function agentArguments(processes: MeshProcesses, proxy: PlannedProxy): string[] {
  const { plan, directories, envoyPath } = processes;
  const { entry } = proxy;
  const labels = {
    ...entry.labels,
    ...(entry.kind === 'workload' && entry.service !== null ? { [SERVICE_LABEL]: entry.service } : {}),
  };
  const controlPlane = formatSpiffeId({ trustDomain: plan.file.trustDomain, ...CONTROL_PLANE_IDENTITY });
  return [
    ...['--type', entry.kind === 'gateway' ? 'router' : 'sidecar'],
    ...['--workload', entry.name, '--namespace', entry.namespace, '--service-account', entry.serviceAccount],
    ...Object.entries(labels).flatMap(([name, value]) => ['--label', `${name}=${value}`]),
    ...proxy.ports.flatMap(({ name, port, bindPort, appPort }) => [
      '--port',
      `name=${name},port=${port},bind=${bindPort}${appPort === 0 ? '' : `,app=${appPort}`}`,
    ]),
    ...(proxy.httpProxyPort === null ? [] : ['--http-proxy-port', String(proxy.httpProxyPort)]),
    ...['--ip', LOOPBACK, '--interception', 'none', '--admin', `${LOOPBACK}:${proxy.adminPort}`],
    ...[
      '--discovery',
      `${LOOPBACK}:${plan.controlPlane.xdsTls}`,
      '--ca',
      `https://${LOOPBACK}:${plan.controlPlane.ca}`,
    ],
    ...['--ca-roots', join(directories.data, 'roots.pem'), '--trust-domain', plan.file.trustDomain],
    // Galley, citadel and pilot are one process here, with one identity.
    ...['--ca-identity', controlPlane, '--discovery-identity', controlPlane],
    // Probes are for machines of one workload each, and so nobody waits for them at the end.
    ...['--status-address', '', '--notice-time', '1s'],
    ...['--certificate-ttl', `${plan.file.certificateTtlMs}ms`],
    ...(entry.proxy === 'envoy' && envoyPath !== null ? ['--envoy', envoyPath] : []),
  ];
}
