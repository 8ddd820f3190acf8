import { VhRateLimitsOptions } from '@flotilla/wire/envoy/extensions/common/ratelimit/v3/ratelimit_pb.js';
import type { RateLimitRule, Route } from '@flotilla/route';

/** Whether the virtual host's rules count beside the route's own. */
export type HostRules = 'unless-route-has' | 'always' | 'never';

export function hostRulesOf(option: VhRateLimitsOptions): HostRules {
  switch (option) {
    case VhRateLimitsOptions.OVERRIDE:
      return 'unless-route-has';
    case VhRateLimitsOptions.INCLUDE:
      return 'always';
    case VhRateLimitsOptions.IGNORE:
      return 'never';
  }
}

/** The rules that a request's route brings. */
export function rulesFor(route: Route | null, hostRules: HostRules): readonly RateLimitRule[] {
  const limits = route?.rateLimits ?? null;
  if (limits === null) return [];
  const withHost =
    limits.includesHost || hostRules === 'always' || (hostRules === 'unless-route-has' && limits.own.length === 0);
  return withHost ? [...limits.own, ...limits.host] : limits.own;
}
