import { create, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf';
import { ClusterSchema } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { ClusterLoadAssignmentSchema } from '@flotilla/wire/envoy/config/endpoint/v3/endpoint_pb.js';
import { ListenerSchema } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import { RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';

/** The messages that generators make, by type. */
export const SCHEMAS = {
  CDS: ClusterSchema,
  EDS: ClusterLoadAssignmentSchema,
  LDS: ListenerSchema,
  RDS: RouteConfigurationSchema,
} as const;

export type GeneratedType = keyof typeof SCHEMAS;

export type DraftOf<Type extends GeneratedType> = {
  readonly [Each in Type]: {
    readonly type: Each;
    readonly name: string;
    /** Not to be changed: parts of it belong to the mesh, and to other drafts. */
    readonly message: MessageShape<(typeof SCHEMAS)[Each]>;
  };
}[Type];

/** A resource as its generator makes it: a message, not patched and not encoded (`finish`). */
export type Draft = DraftOf<GeneratedType>;

export const clusterDraft = (name: string, init: MessageInitShape<typeof ClusterSchema>): DraftOf<'CDS'> => ({
  type: 'CDS',
  name,
  message: create(ClusterSchema, init),
});

export const loadAssignmentDraft = (
  name: string,
  init: MessageInitShape<typeof ClusterLoadAssignmentSchema>,
): DraftOf<'EDS'> => ({ type: 'EDS', name, message: create(ClusterLoadAssignmentSchema, init) });

export const listenerDraft = (name: string, init: MessageInitShape<typeof ListenerSchema>): DraftOf<'LDS'> => ({
  type: 'LDS',
  name,
  message: create(ListenerSchema, init),
});

export const routeDraft = (name: string, init: MessageInitShape<typeof RouteConfigurationSchema>): DraftOf<'RDS'> => ({
  type: 'RDS',
  name,
  message: create(RouteConfigurationSchema, init),
});
