import type { RouteAction_RequestMirrorPolicy as MirrorProto } from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { fractionOf, refuse } from '@flotilla/envoy';
import type { MirrorPolicy } from './route.ts';

/** Compiles `request_mirror_policies`; without a fraction every request is mirrored. */
export function compileMirrorPolicies(protos: readonly MirrorProto[], path: string): MirrorPolicy[] {
  return protos.map((proto, index) => {
    const field = `${path}[${index}]`;
    if ((proto.cluster === '') === (proto.clusterHeader === '')) {
      refuse(field, 'must have one of cluster and cluster_header');
    }
    return {
      cluster: proto.cluster,
      clusterHeader: proto.clusterHeader.toLowerCase(),
      fraction: proto.runtimeFraction === undefined ? 1 : fractionOf(proto.runtimeFraction.defaultValue),
      appendShadowSuffix: !proto.disableShadowHostSuffixAppend,
    };
  });
}
