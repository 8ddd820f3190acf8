import { isDeepStrictEqual } from 'node:util';
import type { MeshClient } from '@flotilla/client';
import { ADDRESSES_ANNOTATION, PROXY_TYPE_ANNOTATION } from '@flotilla/model';
import { FlotillaError } from '@flotilla/runtime';

/** What options say of a workload. */
export interface DescriptionOptions {
  readonly label?: readonly string[];
  readonly port?: readonly string[];
  readonly address?: readonly string[];
  readonly type?: string;
}

export interface DescribedWorkload extends DescriptionOptions {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** `''`: not named. */
  readonly workload: string;
}

/**
 * Writes the WorkloadGroup that the options describe, and says so; `null` when they describe nothing. Throws `usage` for
 * options that cannot be, and `invalid` when the workload is described otherwise already: that is changed as configuration.
 */
export async function describeWorkload(mesh: MeshClient, options: DescribedWorkload): Promise<string | null> {
  const { label, port, address, type, workload, namespace } = options;
  if ([label, port, address, type].every((option) => option === undefined)) return null;
  if (workload === '') throw new FlotillaError('usage', '--label, --port, --address and --type need --workload');
  const group = workloadGroup(options);
  const key = { group: 'networking.istio.io', kind: 'WorkloadGroup', namespace, name: workload };
  const existing = await found(mesh, key);
  if (existing === undefined) {
    await mesh.galley.apply({ documents: [{ source: 'flotilla token create', yaml: JSON.stringify(group) }] });
    return `WorkloadGroup ${namespace}/${workload} created`;
  }
  const isSame =
    isDeepStrictEqual(existing.body, { spec: group.spec }) &&
    isDeepStrictEqual({ ...existing.annotations }, group.metadata.annotations);
  if (isSame) return `WorkloadGroup ${namespace}/${workload} unchanged`;
  throw new FlotillaError(
    'invalid',
    `WorkloadGroup ${namespace}/${workload} is there already and says something else`,
    {
      hint: 'Change it with "flotilla apply", or leave --label, --port, --address and --type out.',
    },
  );
}

async function found(mesh: MeshClient, key: { group: string; kind: string; namespace: string; name: string }) {
  try {
    return (await mesh.galley.get({ key })).resource;
  } catch (error) {
    if (FlotillaError.from(error).code === 'not-found') return undefined;
    throw error;
  }
}

function workloadGroup({ workload, namespace, serviceAccount, ...options }: DescribedWorkload) {
  const { label = [], port = [], address = [], type } = options;
  const labels = Object.fromEntries(label.map((text) => pair('--label', text)));
  const ports = Object.fromEntries(
    port.map((text) => {
      const [name, value] = pair('--port', text);
      const number = Number(value);
      if (Number.isInteger(number) && number > 0 && number <= 65_535) return [name, number];
      throw new FlotillaError('usage', `--port ${text}: write name=number, such as http=9080`);
    }),
  );
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'WorkloadGroup',
    metadata: {
      name: workload,
      namespace,
      annotations: {
        ...(type === undefined ? {} : { [PROXY_TYPE_ANNOTATION]: type }),
        ...(address.length === 0 ? {} : { [ADDRESSES_ANNOTATION]: address.join(',') }),
      },
    },
    spec: {
      metadata: { labels },
      template: { serviceAccount, ...(port.length === 0 ? {} : { ports }) },
    },
  };
}

function pair(option: string, text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new FlotillaError('usage', `${option} ${text}: write name=value`);
}
