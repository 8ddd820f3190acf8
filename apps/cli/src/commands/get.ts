import type { Resource } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { didYouMean, KINDS } from '@flotilla/model';
import { FlotillaError, printable, printableLines } from '@flotilla/runtime';
import { stringify } from 'yaml';
import { printLine, printMessage } from '@flotilla/sockets/standard-streams';
import { formatTable } from '../terminal/table.ts';
import { type ApiOptions, openMesh } from './client.ts';

export interface GetOptions extends ApiOptions {
  readonly namespace?: string;
  readonly output?: string;
}

/** `flotilla get [kind] [name]`: a table, or the documents as YAML or JSON. */
export async function get(kind: string | undefined, name: string | undefined, options: GetOptions): Promise<void> {
  const wanted = kind === undefined ? null : kindOf(kind);
  const response = await openMesh(options).galley.list({ namespace: options.namespace ?? '' });
  const found = response.resources.filter(
    ({ key }) => (wanted === null || key?.kind === wanted) && (name === undefined || key?.name === name),
  );
  if (name !== undefined && found.length === 0) {
    throw new FlotillaError('not-found', `there is no ${kind ?? 'resource'} called ${name}`, {
      hint: 'List what there is with "flotilla get".',
    });
  }
  if (found.length === 0) printMessage('there is nothing of that');
  else printLine(print(found, options.output));
}

function print(resources: readonly Resource[], output: string | undefined): string {
  switch (output) {
    case 'json':
      return JSON.stringify(resources.map(toDocument), null, 2);
    case 'yaml':
      return resources.map(toYaml).join('\n---\n');
    default:
      return formatTable(
        ['KIND', 'NAMESPACE', 'NAME', 'VERSION', 'FROM'],
        resources.map((resource) => [
          resource.key?.kind ?? '',
          resource.key?.namespace ?? '',
          resource.key?.name ?? '',
          String(resource.resourceVersion),
          originOf(resource),
        ]),
      );
  }
}

function toYaml(resource: Resource): string {
  return `# from ${printable(originOf(resource))}\n${yamlOf(toDocument(resource)).trimEnd()}`;
}

/** In quotes where something is to be escaped: the same document, on a terminal and in a file. */
function yamlOf(document: object): string {
  const plain = stringify(document);
  return printableLines(plain) === plain ? plain : stringify(document, { defaultStringType: 'QUOTE_DOUBLE' });
}

function originOf({ origin }: Resource): string {
  return origin === undefined ? 'nowhere' : `${origin.source}:${origin.line}`;
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

const SHORT_NAMES: Readonly<Record<string, string>> = {
  vs: 'VirtualService',
  dr: 'DestinationRule',
  gw: 'Gateway',
  se: 'ServiceEntry',
  we: 'WorkloadEntry',
  pa: 'PeerAuthentication',
  svc: 'Service',
  sa: 'ServiceAccount',
  ns: 'Namespace',
};

/** The kind that `virtualservices`, `VirtualService`, `virtualservice` or `vs` names. Throws `invalid` for none. */
function kindOf(written: string): string {
  const lower = written.toLowerCase();
  const kinds = Object.values(KINDS).map(({ kind }) => kind);
  const singular = lower.replace(/ies$/, 'y').replace(/([^s])s$/, '$1');
  const found = SHORT_NAMES[lower] ?? kinds.find((kind) => [lower, singular].includes(kind.toLowerCase()));
  if (found !== undefined) return found;
  throw new FlotillaError('invalid', `there is no kind "${written}"`, {
    hint: didYouMean(written, kinds) || `Kinds are ${kinds.join(', ')}.`,
  });
}
