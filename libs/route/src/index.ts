export { compileRouteTable, type RouteCompileOptions } from './compile.ts';
export { compileFilterChainMatch, type ConnectionFacts, type FilterChainFinder } from './filter-chain.ts';
export { keysOf, matchOf, type MetadataMatch, mergeMatches, metadataMatchOf } from './metadata-match.ts';
export {
  compileRateLimitRules,
  type Descriptor,
  type DescriptorEntry,
  type RateLimitRule,
} from './rate-limit-actions.ts';
export { compileHeaderRules, headerValues, type RequestPredicate } from './request-match.ts';
export { isRetryWord, PLAIN_RETRY, retryOn } from './retry-policy.ts';
export type { ClientCertificate, RoutableRequest } from './routable-request.ts';
export type * from './route.ts';
