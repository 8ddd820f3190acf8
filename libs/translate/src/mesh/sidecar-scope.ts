import { CaptureMode, type IstioEgressListener } from '@flotilla/wire/istio/networking/v1alpha3/sidecar_pb.js';
import { hostCovers, labelsMatch, type PortProtocol, resolveHost, selectorOf } from '@flotilla/model';
import { Memo } from '../identity.ts';
import { protocolOfField } from '../registry/protocol.ts';
import { byAge, type Config } from './config.ts';
import type { MeshSettings } from './settings.ts';

/** Which namespaces and hosts an egress listener imports: `./*`, `prod/reviews.prod.svc.cluster.local`, `~/*`. */
export interface HostImport {
  /** `null` for every namespace. */
  readonly namespace: string | null;
  readonly host: string;
}

/** A listener of its own for some hosts, beside or instead of interception. */
export interface EgressListener {
  /** `null`: the hosts are reached by interception, or through the HTTP proxy port. */
  readonly port: { readonly number: number; readonly protocol: PortProtocol; readonly name: string } | null;
  /** "" for the default. */
  readonly bind: string;
  /** The application dials the listener itself. */
  readonly isDialled: boolean;
  readonly imports: readonly HostImport[];
}

export interface SidecarClient {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

const EVERYTHING: readonly EgressListener[] = [
  { port: null, bind: '', isDialled: false, imports: [{ namespace: null, host: '*' }] },
];

/**
 * The Sidecar that holds for a workload: the oldest of its namespace that selects it, then the one without selector of
 * its namespace, then that of the root namespace.
 */
export function sidecarFor(
  sidecars: readonly Config<'Sidecar'>[],
  client: SidecarClient,
  rootNamespace: string,
): Config<'Sidecar'> | null {
  const { byNamespace } = ranked.get(sidecars);
  const own = byNamespace.get(client.namespace);
  const selected = own?.selecting.find(({ selector }) => labelsMatch(selector, client.labels));
  return selected?.sidecar ?? own?.wide ?? byNamespace.get(rootNamespace)?.wide ?? null;
}

interface NamespaceSidecars {
  /** The oldest first. */
  readonly selecting: { readonly sidecar: Config<'Sidecar'>; readonly selector: Readonly<Record<string, string>> }[];
  /** The oldest without a selector. */
  wide: Config<'Sidecar'> | null;
}

const ranked = new Memo((sidecars: readonly Config<'Sidecar'>[]) => {
  const byNamespace = new Map<string, NamespaceSidecars>();
  for (const sidecar of [...sidecars].sort(byAge)) {
    const { namespace } = sidecar.key;
    const entry = byNamespace.get(namespace) ?? { selecting: [], wide: null };
    byNamespace.set(namespace, entry);
    const selector = selectorOf(sidecar);
    if (selector === null) entry.wide ??= sidecar;
    else entry.selecting.push({ sidecar, selector });
  }
  return { byNamespace };
});

/** The egress listeners in force; without a Sidecar, or without egress in it, everything that is exported. */
export function egressListeners(
  sidecar: Config<'Sidecar'> | null,
  namespace: string,
  settings: MeshSettings,
): readonly EgressListener[] {
  if (sidecar === null || sidecar.spec.egress.length === 0) return EVERYTHING;
  return sidecar.spec.egress.map((listener) => ({
    port:
      listener.port === undefined || listener.port.number === 0
        ? null
        : {
            number: listener.port.number,
            protocol: protocolOfField(listener.port.protocol),
            name: listener.port.name,
          },
    bind: listener.bind,
    isDialled: listener.captureMode === CaptureMode.NONE,
    imports: importsOf(listener, namespace, settings),
  }));
}

function importsOf(listener: IstioEgressListener, namespace: string, settings: MeshSettings): HostImport[] {
  return listener.hosts.flatMap((entry) => {
    const slash = entry.indexOf('/');
    const from = slash === -1 ? '*' : entry.slice(0, slash);
    const host = resolveHost(
      entry.slice(slash + 1),
      from === '*' || from === '.' ? namespace : from,
      settings.domainSuffix,
    );
    if (from === '~') return [];
    return [{ namespace: from === '*' ? null : from === '.' ? namespace : from, host }];
  });
}

/** Whether a host of a namespace is imported. Wildcard hosts are imported by what they overlap with. */
export function isImported(imports: readonly HostImport[], host: string, namespace: string): boolean {
  return imports.some(
    (entry) =>
      (entry.namespace === null || entry.namespace === namespace) &&
      (hostCovers(entry.host, host) || hostCovers(host, entry.host)),
  );
}
