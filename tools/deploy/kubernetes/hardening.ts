import type { Workload } from './workloads.ts';

/** What a container may do beyond the least, as one line each. Only `capture` is root, and only it has capabilities. */
export function excessRights({ name, template, containers }: Workload): string[] {
  const faults: string[] = [];
  const pod = template.spec;
  if (pod?.automountServiceAccountToken !== false) faults.push(`${name}: has a token of the API server`);
  if (pod?.hostNetwork || pod?.hostPID || pod?.hostIPC) faults.push(`${name}: shares namespaces of its host`);
  for (const { name: container, securityContext: own = {} } of containers) {
    const say = (what: string) => faults.push(`${name}/${container}: ${what}`);
    const isCapture = container === 'capture';
    if ((own.runAsNonRoot ?? pod?.securityContext?.runAsNonRoot) !== !isCapture) say('runs as root');
    if (!isCapture && (own.runAsUser ?? pod?.securityContext?.runAsUser ?? 0) === 0) say('has no user by number');
    if (own.readOnlyRootFilesystem !== true) say('writes to its root file system');
    if (own.allowPrivilegeEscalation !== false) say('may gain privileges');
    if (own.privileged === true) say('is privileged');
    if (own.capabilities?.drop?.join() !== 'ALL') say('keeps capabilities');
    const added = own.capabilities?.add?.join() ?? '';
    if (added !== (isCapture ? 'NET_ADMIN,NET_RAW' : '')) say(`adds the capabilities ${added}`);
    if ((own.seccompProfile ?? pod?.securityContext?.seccompProfile)?.type !== 'RuntimeDefault')
      say('has no seccomp profile');
  }
  return faults;
}

/**
 * What a container lacks of probes, requests and limits, as one line each. Those that end are not probed. No limit of CPU is
 * asked for, which would slow a proxy down on a node that is idle; limits of processes are the kubelet's.
 */
export function uncheckedContainers({ name, containers, template }: Workload): string[] {
  const ending = (template.spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy !== 'Always');
  return containers.flatMap((container) => {
    const probes = (['readinessProbe', 'livenessProbe'] as const)
      .filter((probe) => container[probe] === undefined && !ending.includes(container))
      .map((probe) => `has no ${probe}`);
    const amounts = [
      ['requests', 'cpu'],
      ['requests', 'memory'],
      ['limits', 'memory'],
    ] as const;
    const unsaid = amounts
      .filter(([kind, what]) => container.resources?.[kind]?.[what] === undefined)
      .map(([kind, what]) => `says nothing of its ${kind} of ${what}`);
    return [...probes, ...unsaid].map((fault) => `${name}/${container.name}: ${fault}`);
  });
}
