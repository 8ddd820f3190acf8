import { addressBits, addressText, compileQueryParameterMatcher } from '@flotilla/match';
import type {
  RateLimit as RateLimitProto,
  RateLimit_Action as ActionProto,
} from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { addressOf, type StreamInfo } from '@flotilla/stream';
import { inField, queryMatchOf, refuse } from '@flotilla/envoy';
import { compileHeaderRules } from './request-match.ts';
import type { RoutableRequest } from './routable-request.ts';

export interface DescriptorEntry {
  readonly key: string;
  readonly value: string;
}

/** What a limit is asked for: all its entries together name one counter. */
export type Descriptor = readonly DescriptorEntry[];

/** A `rate_limits` entry, compiled. */
export interface RateLimitRule {
  readonly stage: number;
  /** Null: this rule does not apply to the request. */
  describe(request: RoutableRequest, info: StreamInfo, sourceCluster: string): Descriptor | null;
}

type Action = (request: RoutableRequest, info: StreamInfo, sourceCluster: string) => DescriptorEntry | null | 'skip';

/** Compiles `rate_limits` of a route, a virtual host or a filter. Throws `invalid`. */
export function compileRateLimitRules(protos: readonly RateLimitProto[], path: string): RateLimitRule[] {
  return protos.map((proto, index) => {
    const field = `${path}[${index}]`;
    if (proto.actions.length === 0) refuse(`${field}.actions`, 'is empty');
    const actions = proto.actions.map((action, at) => compileAction(action, `${field}.actions[${at}]`));
    return {
      stage: proto.stage ?? 0,
      describe: (request, info, sourceCluster) => describe(actions, request, info, sourceCluster),
    };
  });
}

/** Entries of all actions; null when one of them has nothing to say. */
function describe(
  actions: readonly Action[],
  request: RoutableRequest,
  info: StreamInfo,
  sourceCluster: string,
): Descriptor | null {
  const entries: DescriptorEntry[] = [];
  for (const action of actions) {
    const entry = action(request, info, sourceCluster);
    if (entry === null) return null;
    if (entry !== 'skip') entries.push(entry);
  }
  return entries.length === 0 ? null : entries;
}

function compileAction({ actionSpecifier: action }: ActionProto, path: string): Action {
  switch (action.case) {
    case 'sourceCluster':
      return (_request, _info, sourceCluster) => ({ key: 'source_cluster', value: sourceCluster });
    case 'destinationCluster':
      return (_request, info) => ({ key: 'destination_cluster', value: info.upstreamCluster ?? '' });
    case 'requestHeaders': {
      const { descriptorKey, skipIfAbsent } = action.value;
      const name = action.value.headerName.toLowerCase();
      return (request) => {
        const value = headerOf(request, name);
        if (value === undefined) return skipIfAbsent ? 'skip' : null;
        return value === '' ? null : { key: descriptorKey, value };
      };
    }
    case 'remoteAddress':
      return (_request, info) => ({ key: 'remote_address', value: addressOf(info.downstreamRemoteAddress) });
    case 'maskedRemoteAddress': {
      const v4 = action.value.v4PrefixMaskLen ?? 32;
      const v6 = action.value.v6PrefixMaskLen ?? 128;
      return (_request, info) => ({
        key: 'masked_remote_address',
        value: masked(addressOf(info.downstreamRemoteAddress), v4, v6),
      });
    }
    case 'genericKey': {
      const { descriptorKey, descriptorValue } = action.value;
      return () => ({ key: descriptorKey || 'generic_key', value: descriptorValue });
    }
    case 'headerValueMatch': {
      const { descriptorKey, descriptorValue, expectMatch } = action.value;
      const rules = compileHeaderRules(action.value.headers, `${path}.header_value_match.headers`);
      return (request) => {
        const matches = rules.every((rule) => rule(request, 0));
        return matches === (expectMatch ?? true)
          ? { key: descriptorKey || 'header_match', value: descriptorValue }
          : null;
      };
    }
    case 'queryParameterValueMatch': {
      const { descriptorKey, descriptorValue, expectMatch } = action.value;
      const rules = action.value.queryParameters.map((matcher, index) => {
        const field = `${path}.query_parameter_value_match.query_parameters[${index}]`;
        return inField(field, () => compileQueryParameterMatcher(queryMatchOf(matcher, field)));
      });
      return (request) => {
        const matches = rules.every((rule) => rule(request.path));
        return matches === (expectMatch ?? true)
          ? { key: descriptorKey || 'query_match', value: descriptorValue }
          : null;
      };
    }
    default:
      return refuse(`${path}.${action.case ?? 'action_specifier'}`, 'is not supported');
  }
}

function headerOf(request: RoutableRequest, name: string): string | undefined {
  switch (name) {
    case ':path':
      return request.path;
    case ':method':
      return request.method;
    case ':authority':
    case 'host':
      return request.authority;
    case ':scheme':
      return request.scheme;
    default:
      return request.headers.getCombined(name);
  }
}

/** The network that an address is in, in CIDR notation. */
function masked(address: string, v4Length: number, v6Length: number): string {
  const bits = addressBits(address);
  if (bits === null) return address;
  const isV6 = bits.length > 4;
  const length = isV6 ? v6Length : v4Length;
  const kept = bits.map((byte, index) => byte & (0xff00 >> Math.max(0, Math.min(8, length - index * 8))));
  return `${addressText(kept)}/${length}`;
}
