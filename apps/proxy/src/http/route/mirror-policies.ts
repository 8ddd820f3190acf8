import type { RouteAction_RequestMirrorPolicy as MirrorProto } from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { fractionOf, refuse, refuseWhen } from './field.ts';
import type { MirrorPolicy } from './route.ts';

/** Compiles `request_mirror_policies`; without a fraction every request is mirrored. */
export function compileMirrorPolicies(protos: readonly MirrorProto[], path: string): MirrorPolicy[] {
  return protos.map((proto, index) => {
    const field = `${path}[${index}]`;
    refuseWhen(proto.clusterHeader !== '', `${field}.cluster_header`);
    if (proto.cluster === '') refuse(`${field}.cluster`, 'is missing');
    return {
      cluster: proto.cluster,
      fraction: proto.runtimeFraction === undefined ? 1 : fractionOf(proto.runtimeFraction.defaultValue),
      appendShadowSuffix: !proto.disableShadowHostSuffixAppend,
    };
  });
}
