import type { DescMessage, Message, MessageShape } from '@bufbuild/protobuf';
import { DurationSchema } from '@bufbuild/protobuf/wkt';
import { compileRegex, compileRegexSubstitution } from '@flotilla/match';
import { FlotillaError } from '@flotilla/runtime';
import { ClusterSchema } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { HeaderValueOptionSchema } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import {
  RouteActionSchema,
  RouteSchema,
  VirtualHostSchema,
  WeightedCluster_ClusterWeightSchema,
  WeightedClusterSchema,
} from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import { RegexMatchAndSubstituteSchema, RegexMatcherSchema } from '@flotilla/wire/envoy/type/matcher/v3/regex_pb.js';
import { checkFormat } from './command-operators.ts';
import type { FieldPath } from './field-path.ts';

type Report = (field: FieldPath, reason: string) => void;
type Rule<Desc extends DescMessage> = (message: MessageShape<Desc>, report: Report) => void;

/** What Envoy refuses of a message beyond the constraints beside its fields; null where there is nothing. */
export function ruleOf(schema: DescMessage): ((message: Message, report: Report) => void) | null {
  return RULES.get(schema.typeName) ?? null;
}

const RULES = new Map<string, (message: Message, report: Report) => void>([
  rule(DurationSchema, ({ seconds }, report) => {
    if (seconds > MAX_DURATION_SECONDS) report([], `must be at most ${MAX_DURATION_SECONDS}s`);
  }),
  rule(RegexMatcherSchema, ({ regex }, report) => attempt(['regex'], () => compileRegex(regex), report)),
  rule(RegexMatchAndSubstituteSchema, ({ pattern, substitution }, report) => {
    const compile = () => compileRegexSubstitution({ regex: pattern?.regex ?? '', substitution });
    attempt(['substitution'], compile, report);
  }),
  rule(HeaderValueOptionSchema, ({ header }, report) => {
    if (header === undefined) return;
    checkName(header.key, ['header', 'key'], report);
    attempt(['header', 'value'], () => checkFormat(header.value), report);
  }),
  rule(RouteSchema, checkRemoved),
  rule(VirtualHostSchema, checkRemoved),
  rule(WeightedCluster_ClusterWeightSchema, checkRemoved),
  rule(WeightedClusterSchema, ({ clusters }, report) => {
    const total = clusters.reduce((sum, { weight }) => sum + (weight ?? 0), 0);
    if (total === 0) report(['clusters'], 'no cluster has a weight');
    if (total > MAX_UINT32) report(['clusters'], `the weights add up to more than ${MAX_UINT32}`);
  }),
  rule(RouteActionSchema, (action, report) => {
    if (action.prefixRewrite !== '' && action.regexRewrite !== undefined) {
      report(['regex_rewrite'], 'excludes prefix_rewrite');
    }
  }),
  rule(RouteConfigurationSchema, ({ virtualHosts }, report) => {
    const domains = new Set<string>();
    virtualHosts.forEach((host, index) => {
      host.domains.forEach((domain, at) => {
        const lower = domain.toLowerCase();
        if (domains.has(lower)) report(['virtual_hosts', index, 'domains', at], `"${domain}" is there before`);
        domains.add(lower);
      });
    });
  }),
  rule(ClusterSchema, ({ lbConfig }, report) => {
    if (lbConfig.case === 'maglevLbConfig') {
      const size = lbConfig.value.tableSize;
      if (size !== undefined && size <= MAX_MAGLEV_TABLE && !isPrime(Number(size)))
        report(['maglev_lb_config', 'table_size'], `${size} is no prime`);
    }
    if (lbConfig.case === 'ringHashLbConfig') {
      const { minimumRingSize: min = 1024n, maximumRingSize: max = MAX_RING_SIZE } = lbConfig.value;
      if (min > max) report(['ring_hash_lb_config', 'minimum_ring_size'], `must be at most ${max}`);
    }
  }),
]);

/** As many nanoseconds as 64 bits hold. */
const MAX_DURATION_SECONDS = 9_223_372_036n;
const MAX_UINT32 = 4_294_967_295;
/** The constraint beside the field; beyond it nobody asks whether a number is prime. */
const MAX_MAGLEV_TABLE = 5_000_011n;
const MAX_RING_SIZE = 8n * 1024n * 1024n;

function rule<Desc extends DescMessage>(
  schema: Desc,
  check: Rule<Desc>,
): [string, (message: Message, report: Report) => void] {
  // Looked up by the message's own type.
  return [schema.typeName, check as (message: Message, report: Report) => void];
}

function attempt(field: FieldPath, step: () => unknown, report: Report): void {
  try {
    step();
  } catch (error) {
    report(field, FlotillaError.from(error).message);
  }
}

interface Removing {
  readonly requestHeadersToRemove: readonly string[];
  readonly responseHeadersToRemove: readonly string[];
}

function checkRemoved({ requestHeadersToRemove, responseHeadersToRemove }: Removing, report: Report): void {
  requestHeadersToRemove.forEach((name, index) => checkName(name, ['request_headers_to_remove', index], report));
  responseHeadersToRemove.forEach((name, index) => checkName(name, ['response_headers_to_remove', index], report));
}

function checkName(name: string, field: FieldPath, report: Report): void {
  if (!isEditable(name)) report(field, `"${name}" cannot be changed: it is not a header of its own`);
}

/** Envoy lets nobody change pseudo headers and `host` as headers. */
export function isEditable(name: string): boolean {
  return !name.startsWith(':') && name.toLowerCase() !== 'host';
}

/** Some thousand divisions for what Envoy takes as the size of a table; not for larger numbers. */
export function isPrime(number: number): boolean {
  if (!Number.isSafeInteger(number) || number < 2) return false;
  for (let divisor = 2; divisor * divisor <= number; divisor += 1) if (number % divisor === 0) return false;
  return true;
}
