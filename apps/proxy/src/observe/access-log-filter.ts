import { compileHeaderMatcher } from '@flotilla/match';
import { FlotillaError, type Random } from '@flotilla/runtime';
import {
  type AccessLogFilter,
  type ComparisonFilter,
  ComparisonFilter_Op as Op,
  GrpcStatusFilter_Status as GrpcStatus,
  type ExtensionFilter,
  type HeaderFilter,
  type MetadataFilter,
} from '@flotilla/wire/envoy/config/accesslog/v3/accesslog_pb.js';
import { ExpressionFilterSchema } from '@flotilla/wire/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.js';
import { compileValueMatcher, denominatorOf, headerMatchOf, unpackValid, valueAt } from '@flotilla/envoy';
import { headerValues } from '@flotilla/route';
import { compileCel } from '@flotilla/format';
import { flagOfName, grpcStatusOf, logTypeOf, requestHeader, type StreamInfo } from '@flotilla/stream';

/** Whether a stream is logged. */
export type LogFilter = (info: StreamInfo) => boolean;

/** Compiles the filter of an access log. Throws `invalid`, naming the field, for what is not supported. */
export function compileLogFilter(filter: AccessLogFilter, random: Random): LogFilter {
  const which = filter.filterSpecifier;
  switch (which.case) {
    case 'statusCodeFilter':
      return comparing(which.value.comparison, 'status_code_filter', (info) => info.responseCode);
    case 'durationFilter':
      return comparing(which.value.comparison, 'duration_filter', (info) => Math.floor(info.endMs - info.startMs));
    case 'notHealthCheckFilter':
      return (info) => !info.isHealthCheck;
    case 'runtimeFilter': {
      const { percentSampled } = which.value;
      const fraction = (percentSampled?.numerator ?? 0) / denominatorOf(percentSampled);
      return () => random() < fraction;
    }
    case 'andFilter': {
      const filters = severalOf(which.value.filters, 'and_filter', random);
      return (info) => filters.every((passes) => passes(info));
    }
    case 'orFilter': {
      const filters = severalOf(which.value.filters, 'or_filter', random);
      return (info) => filters.some((passes) => passes(info));
    }
    case 'headerFilter':
      return byHeader(which.value);
    case 'responseFlagFilter': {
      const flags = which.value.flags.map(
        (name) => flagOfName(name) ?? refuse(`response_flag_filter: no flag "${name}"`),
      );
      const any = flags.reduce((bits, flag) => bits | flag, 0);
      return (info) => (any === 0 ? info.responseFlags !== 0 : (info.responseFlags & any) !== 0);
    }
    case 'grpcStatusFilter': {
      const { exclude } = which.value;
      const statuses = new Set<number>(which.value.statuses);
      return (info) => statuses.has(grpcStatusOf(info) ?? GrpcStatus.UNKNOWN) !== exclude;
    }
    case 'logTypeFilter': {
      const { exclude } = which.value;
      const types = new Set<number>(which.value.types);
      return (info) => types.has(logTypeOf(info)) !== exclude;
    }
    case 'metadataFilter':
      return byMetadata(which.value);
    case 'extensionFilter':
      return byExtension(which.value);
    default:
      return refuse('filter_specifier: is missing');
  }
}

function severalOf(filters: readonly AccessLogFilter[], path: string, random: Random): LogFilter[] {
  if (filters.length < 2) refuse(`${path}.filters: has fewer than two`);
  return filters.map((filter) => compileLogFilter(filter, random));
}

function comparing(
  comparison: ComparisonFilter | undefined,
  path: string,
  valueOf: (info: StreamInfo) => number,
): LogFilter {
  const wanted = comparison?.value?.defaultValue;
  if (comparison === undefined || wanted === undefined) return refuse(`${path}.comparison.value: is missing`);
  switch (comparison.op) {
    case Op.EQ:
      return (info) => valueOf(info) === wanted;
    case Op.GE:
      return (info) => valueOf(info) >= wanted;
    case Op.LE:
      return (info) => valueOf(info) <= wanted;
    default:
      return refuse(`${path}.comparison.op: ${comparison.op} is not supported`);
  }
}

function byHeader({ header }: HeaderFilter): LogFilter {
  if (header === undefined) return refuse('header_filter.header: is missing');
  const spec = headerMatchOf(header, 'header_filter.header');
  const matches = compileHeaderMatcher(spec);
  if (spec.name.startsWith(':')) return (info) => matches(requestHeader(info, spec.name) ?? undefined);
  return ({ requestHeaders }) => matches(requestHeaders === null ? undefined : headerValues(requestHeaders, spec.name));
}

/** The metadata that a filter has noted down; `match_if_key_not_found` is true unless it says otherwise. */
function byMetadata({ matcher, matchIfKeyNotFound }: MetadataFilter): LogFilter {
  if (matcher === undefined) return refuse('metadata_filter.matcher: is missing');
  if (matcher.invert) refuse('metadata_filter.matcher.invert: is not supported');
  const keys = matcher.path.map(({ segment }) => segment.value ?? '');
  const matches = compileValueMatcher(matcher.value, 'metadata_filter.matcher.value');
  const whenAbsent = matchIfKeyNotFound !== false;
  return ({ dynamicMetadata }) => {
    const found = valueAt(dynamicMetadata?.get(matcher.filter), keys);
    return found === undefined ? whenAbsent : matches(found);
  };
}

function byExtension({ name, configType: { value } }: ExtensionFilter): LogFilter {
  const config = value === undefined ? undefined : unpackValid(value, ExpressionFilterSchema);
  if (config === undefined) return refuse(`extension_filter: "${name}" is not supported`);
  const { holds } = compileCel(config.expression);
  return holds;
}

function refuse(message: string): never {
  throw new FlotillaError('invalid', `filter: ${message}`);
}
