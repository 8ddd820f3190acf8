import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { type AnyMeshResource, isOfType } from '@flotilla/model';
import { configPath, contentOf, type EncodedResource, type Mesh } from '@flotilla/translate';
import { VirtualHostSchema } from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import type { TrafficPolicy } from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';

/** A response that a data plane refused, or that could not be made. */
export interface Refusal {
  /** The mesh it was made from. */
  readonly mesh: Mesh;
  /** The mesh of the last response of the type that the data plane took; `null`: none yet. */
  readonly accepted: Mesh | null;
  /** What was new in it. */
  readonly resources: readonly EncodedResource[];
  /** The data plane's words. */
  readonly message: string;
}

/** A resource of the mesh that may be why, and what the data plane took last in its place; `null`: nothing. */
export interface Suspect {
  readonly id: string;
  readonly resource: AnyMeshResource;
  readonly lastGood: AnyMeshResource | null;
}

/**
 * The resources of the mesh that a refusal may be about: those that changed since the data plane took a response of the
 * type, as far as what it blames came of them. Of a data plane that took none yet, those that what it blames came of.
 * Without what would open something when it is left out and has no last good version.
 */
export function suspectsOf(refusal: Refusal): readonly Suspect[] {
  const changed = candidatesOf(refusal).filter(mayBeWithheld);
  const blamed = blamedBytes(refusal);
  const named = changed.filter(({ resource }) => blamed.some((bytes) => isSourceOf(resource, bytes)));
  if (named.length > 0) return named;
  // To leave out whatever there is would give a new data plane a mesh that nobody wrote.
  return refusal.accepted === null ? [] : changed;
}

function candidatesOf({ mesh, accepted }: Refusal): Suspect[] {
  const suspects: Suspect[] = [];
  for (const [id, resource] of mesh.resources) {
    const lastGood = accepted?.resources.get(id) ?? null;
    if (lastGood !== resource) suspects.push({ id, resource, lastGood });
  }
  return suspects;
}

/** The resources that the message names, or all; of routes, the virtual host that it names by its index. */
function blamedBytes({ resources, message }: Refusal): readonly Buffer[] {
  const named = resources.filter(({ name }) => message.includes(name));
  const blamed = named.length > 0 ? named : resources;
  const [only] = blamed;
  const index = /virtual_?hosts\[(\d+)\]/i.exec(message)?.[1];
  if (blamed.length === 1 && only?.type === 'RDS' && index !== undefined) {
    const host = fromBinary(RouteConfigurationSchema, contentOf(only)).virtualHosts[Number(index)];
    if (host !== undefined) return [Buffer.from(toBinary(VirtualHostSchema, host))];
  }
  return blamed.map((resource) => Buffer.from(contentOf(resource)));
}

/** What is generated names where it came from: its configuration in the metadata, services by their hosts. */
function isSourceOf(resource: AnyMeshResource, bytes: Buffer): boolean {
  if (isOfType(resource, 'ServiceEntry')) return resource.spec.hosts.some((host) => bytes.includes(host));
  return bytes.includes(configPath(resource));
}

/**
 * What protects, or limits what can be reached, is never left out: only its last good version may take its place. Without
 * one the data plane keeps what it has.
 */
function mayBeWithheld({ resource, lastGood }: Suspect): boolean {
  return lastGood !== null || !protects(resource);
}

function protects(resource: AnyMeshResource): boolean {
  if (isOfType(resource, 'DestinationRule')) {
    const { trafficPolicy, subsets } = resource.spec;
    return [trafficPolicy, ...subsets.map((subset) => subset.trafficPolicy)].some(hasTls);
  }
  return !LEAVABLE.has(resource.type);
}

function hasTls(policy: TrafficPolicy | undefined): boolean {
  return policy?.tls !== undefined || policy?.portLevelSettings.some(({ tls }) => tls !== undefined) === true;
}

/** Kinds without which less can be reached, or is reached as if nothing had been said; a kind that comes new protects. */
const LEAVABLE: ReadonlySet<string> = new Set(['VirtualService', 'ServiceEntry', 'WorkloadEntry', 'Gateway']);
