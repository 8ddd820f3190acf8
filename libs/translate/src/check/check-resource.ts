import { fromBinary } from '@bufbuild/protobuf';
import { formatPath } from '@flotilla/envoy';
import { refusalsOf } from '@flotilla/envoy/refusals';
import type { AnyMeshResource } from '@flotilla/model';
import { FlotillaError } from '@flotilla/runtime';
import { ClusterSchema } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { ClusterLoadAssignmentSchema } from '@flotilla/wire/envoy/config/endpoint/v3/endpoint_pb.js';
import { ListenerSchema } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import { RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import { contentOf, type EncodedResource } from '../translate/encoded.ts';
import { PACKED_TYPES } from '../translate/protobuf.ts';
import { finish } from '../translate/finish.ts';
import { destinationRuleSamples } from './destination-rule.ts';
import { meshSamples } from './in-a-mesh.ts';
import { virtualServiceSamples } from './virtual-service.ts';

/** Why an Envoy would refuse what a resource becomes. */
export interface DataPlaneRefusal {
  /** The xDS resource, `RDS 80`, and the field in it. */
  readonly place: string;
  readonly reason: string;
}

/** One is enough to refuse a resource; a broken one could have as many as it has routes. */
const MAX_REFUSALS = 10;

/**
 * What data planes would refuse of what pilot makes of one resource, judged without the rest of the mesh: by the
 * constraints of Envoy's API and what Envoy refuses beyond them. Plain data in and out, linear in the size of the
 * resource; it may be asked in any thread. Empty for what no data plane refuses, and for kinds of which pilot makes
 * nothing by itself.
 */
export function refusalsOfResource(resource: AnyMeshResource): readonly DataPlaneRefusal[] {
  const refusals: DataPlaneRefusal[] = [];
  try {
    for (const sample of samplesOf(resource)) {
      refusals.push(...refusalsOfSample(sample));
      if (refusals.length >= MAX_REFUSALS) break;
    }
  } catch (error) {
    // A value that has no place in Envoy's message, such as a number past its bounds.
    refusals.push({ place: 'translation', reason: FlotillaError.from(error).message });
  }
  return refusals.slice(0, MAX_REFUSALS);
}

/** xDS resources in which everything that the resource says comes up. */
export function* samplesOf(resource: AnyMeshResource): Generator<EncodedResource> {
  switch (resource.type) {
    case 'VirtualService':
      for (const draft of virtualServiceSamples(resource)) yield finish(draft);
      break;
    case 'DestinationRule':
      for (const draft of destinationRuleSamples(resource)) yield finish(draft);
      break;
    case 'Gateway':
    case 'ServiceEntry':
    case 'WorkloadEntry':
    case 'Sidecar':
      yield* meshSamples(resource);
  }
}

function refusalsOfSample(sample: EncodedResource): DataPlaneRefusal[] {
  return violationsIn(sample).map(({ path, reason }) => ({
    place: `${sample.type} ${sample.name}: ${formatPath(path)}`,
    reason,
  }));
}

function violationsIn(sample: EncodedResource) {
  const content = contentOf(sample);
  switch (sample.type) {
    case 'CDS':
      return refusalsOf(ClusterSchema, fromBinary(ClusterSchema, content), PACKED_TYPES);
    case 'EDS':
      return refusalsOf(ClusterLoadAssignmentSchema, fromBinary(ClusterLoadAssignmentSchema, content), PACKED_TYPES);
    case 'LDS':
      return refusalsOf(ListenerSchema, fromBinary(ListenerSchema, content), PACKED_TYPES);
    case 'RDS':
      return refusalsOf(RouteConfigurationSchema, fromBinary(RouteConfigurationSchema, content), PACKED_TYPES);
    case 'SDS':
    case 'ECDS':
      return [];
  }
}
