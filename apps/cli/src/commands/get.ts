import { GalleyService, type Resource } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { FlotillaError } from '@flotilla/runtime';
import { stringify } from 'yaml';
import { formatTable } from '../terminal/table.ts';
import { type ApiOptions, call, openApi } from './client.ts';

export interface GetOptions extends ApiOptions {
  readonly namespace?: string;
  readonly output?: string;
}

/** `flotilla get [kind] [name]`: a table, or the documents as YAML or JSON. */
export async function get(kind: string | undefined, name: string | undefined, options: GetOptions): Promise<void> {
  const api = openApi(options);
  const response = await call(api, () => api.client(GalleyService).list({ namespace: options.namespace ?? '' }));
  const wanted = kind === undefined ? null : singular(kind);
  const found = response.resources.filter(
    ({ key }) => (wanted === null || key?.kind.toLowerCase() === wanted) && (name === undefined || key?.name === name),
  );
  if (name !== undefined && found.length === 0) {
    throw new FlotillaError('not-found', `there is no ${kind ?? 'resource'} called ${name}`, {
      hint: 'List what there is with "flotilla get".',
    });
  }
  console.log(print(found, options.output));
}

function print(resources: readonly Resource[], output: string | undefined): string {
  switch (output) {
    case 'json':
      return JSON.stringify(resources.map(toDocument), null, 2);
    case 'yaml':
      return resources.map((resource) => stringify(toDocument(resource))).join('---\n');
    default:
      return formatTable(
        ['KIND', 'NAMESPACE', 'NAME', 'VERSION', 'FROM'],
        resources.map(({ key, resourceVersion, origin }) => [
          key?.kind ?? '',
          key?.namespace ?? '',
          key?.name ?? '',
          String(resourceVersion),
          origin === undefined ? '' : `${origin.source}:${origin.line}`,
        ]),
      );
  }
}

function toDocument(resource: Resource): object {
  const { key, labels, annotations } = resource;
  return {
    apiVersion: resource.apiVersion,
    kind: key?.kind,
    metadata: {
      name: key?.name,
      ...(key?.namespace === '' ? {} : { namespace: key?.namespace }),
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      resourceVersion: String(resource.resourceVersion),
    },
    ...resource.body,
  };
}

/** `virtualservices`, `VirtualService` and `virtualservice` name one kind; so do Istio's short names. */
function singular(kind: string): string {
  const lower = kind.toLowerCase();
  const short: Readonly<Record<string, string>> = {
    vs: 'virtualservice',
    dr: 'destinationrule',
    gw: 'gateway',
    se: 'serviceentry',
    we: 'workloadentry',
    pa: 'peerauthentication',
    svc: 'service',
    sa: 'serviceaccount',
    ns: 'namespace',
  };
  return short[lower] ?? lower.replace(/ies$/, 'y').replace(/([^s])s$/, '$1');
}
