import type { Any } from '@bufbuild/protobuf/wkt';
import { CorsPolicySchema, CorsSchema } from '@flotilla/wire/envoy/extensions/filters/http/cors/v3/cors_pb.js';
import {
  type CorsPolicy,
  CorsPolicy_UnmatchedPreflights as UnmatchedPreflights,
} from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import { toMs, typed } from '../protobuf.ts';
import { stringMatcher } from '../route/match.ts';
import { defineHttpFilter } from './http-filter.ts';

/** Answers preflights and marks answers, as the rule's `corsPolicy` says. */
export const cors = defineHttpFilter({
  name: 'envoy.filters.http.cors',
  guards: false,
  negotiated: null,
  inputs: () => ({}),
  manager: () => typed(CorsSchema, {}),
  route: ({ corsPolicy }) => (corsPolicy === undefined ? null : policyOf(corsPolicy)),
});

function policyOf(policy: CorsPolicy): Any {
  const maxAgeMs = toMs(policy.maxAge);
  // The older list holds origins as they are; "*" takes any.
  const older = policy.allowOrigin.map((origin) =>
    origin === '*'
      ? { matchPattern: { case: 'safeRegex' as const, value: { regex: '.*' } } }
      : { matchPattern: { case: 'exact' as const, value: origin } },
  );
  return typed(CorsPolicySchema, {
    allowOriginStringMatch: policy.allowOrigins.length > 0 ? policy.allowOrigins.map(stringMatcher) : older,
    allowMethods: policy.allowMethods.join(','),
    allowHeaders: policy.allowHeaders.join(','),
    exposeHeaders: policy.exposeHeaders.join(','),
    ...(maxAgeMs === null ? {} : { maxAge: String(Math.floor(maxAgeMs / 1000)) }),
    ...(policy.allowCredentials === undefined ? {} : { allowCredentials: policy.allowCredentials }),
    forwardNotMatchingPreflights: policy.unmatchedPreflights !== UnmatchedPreflights.IGNORE,
  });
}
