import { join } from 'node:path';
import { formatSpiffeId } from '@flotilla/spiffe';
import { CONTROL_PLANE_IDENTITY } from '../control-plane/control-plane-identity.ts';
import type { MeshProcesses } from './mesh-processes.ts';
import type { PlannedProxy } from './plan.ts';
import { labelsOf, LOOPBACK } from './workloads.ts';

/** The `flotilla agent …` command line of one planned proxy. The token travels by environment, not here. */
export function agentArguments(processes: MeshProcesses, proxy: PlannedProxy): string[] {
  const { plan, directories, envoyPath } = processes;
  const { entry } = proxy;
  const controlPlane = formatSpiffeId({ trustDomain: plan.file.trustDomain, ...CONTROL_PLANE_IDENTITY });
  return [
    ...['--type', entry.kind === 'gateway' ? 'router' : 'sidecar'],
    ...['--workload', entry.name, '--namespace', entry.namespace, '--service-account', entry.serviceAccount],
    ...Object.entries(labelsOf(entry)).flatMap(([name, value]) => ['--label', `${name}=${value}`]),
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
    ...localUsers(proxy).flatMap((user) => ['--local-user', String(user)]),
    ...['--certificate-ttl', `${plan.file.certificateTtlMs}ms`],
    ...(entry.proxy === 'envoy' && envoyPath !== null ? ['--envoy', envoyPath] : []),
  ];
}

/** Who may use a workload's ports, where that can be told: whoever started the mesh, and root, who may do anything. */
function localUsers({ entry }: PlannedProxy): readonly number[] {
  const user = process.getuid?.();
  if (process.platform !== 'linux' || user === undefined) return [];
  if (entry.kind === 'gateway' || entry.proxy === 'envoy') return [];
  return [...new Set([user, 0])];
}
