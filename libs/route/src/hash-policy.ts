import { durationMs } from '@bufbuild/protobuf/wkt';
import { xxHash64 } from '@flotilla/balance';
import type {
  RouteAction_HashPolicy as HashPolicyProto,
  RouteAction_HashPolicy_Cookie as CookieProto,
} from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { addressOf, type StreamInfo } from '@flotilla/stream';
import { refuse } from '@flotilla/envoy';
import { compileRegexRewrite } from './rewrite.ts';
import type { RoutableRequest } from './routable-request.ts';
import type { ForwardAction } from './route.ts';

type Policy = (request: RoutableRequest, info: StreamInfo) => bigint | null;

const MASK = 0xffff_ffff_ffff_ffffn;

/** Compiles `hash_policy`, hashed and combined as Envoy does; null for none. Throws `invalid`. */
export function compileHashPolicies(protos: readonly HashPolicyProto[], path: string): ForwardAction['hash'] {
  if (protos.length === 0) return null;
  const policies = protos.map((proto, index) => ({
    hash: compilePolicy(proto, `${path}[${index}]`),
    isTerminal: proto.terminal,
  }));
  return (request, info) => {
    let combined: bigint | null = null;
    for (const { hash, isTerminal } of policies) {
      const next = hash(request, info);
      if (next !== null) {
        // Turned by one bit, so that two equal rules do not cancel each other out.
        const before: bigint = combined ?? 0n;
        combined = (((before << 1n) | (before >> 63n)) & MASK) ^ next;
      }
      if (isTerminal && combined !== null) break;
    }
    return combined;
  };
}

function compilePolicy(proto: HashPolicyProto, path: string): Policy {
  const rule = proto.policySpecifier;
  switch (rule.case) {
    case 'header': {
      const name = rule.value.headerName.toLowerCase();
      const rewrite =
        rule.value.regexRewrite === undefined
          ? null
          : compileRegexRewrite(rule.value.regexRewrite, `${path}.header.regex_rewrite`);
      return (request) => {
        const values = valuesOf(request, name).map((value) => (rewrite === null ? value : rewrite(value)));
        if (values.length === 0) return null;
        // Each value's hash is the seed of the next one's.
        return values.sort().reduce((seed, value) => xxHash64(value, seed), 0n);
      };
    }
    case 'cookie':
      return compileCookie(rule.value, path);
    case 'connectionProperties':
      if (!rule.value.sourceIp) return refuse(`${path}.connection_properties`, 'must set source_ip');
      return (_request, info) => xxHash64(addressOf(info.downstreamRemoteAddress));
    case 'queryParameter': {
      const { name } = rule.value;
      return (request) => {
        const at = request.path.indexOf('?');
        const value = at === -1 ? null : new URLSearchParams(request.path.slice(at + 1)).get(name);
        return value === null ? null : xxHash64(value);
      };
    }
    case 'filterState':
      return refuse(`${path}.filter_state`, 'is not supported');
    case undefined:
      return refuse(path, 'must say what is hashed');
  }
}

/** The cookie's value; where the client has none and the policy sets a time to live, a new one that the client gets. */
function compileCookie(proto: CookieProto, path: string): Policy {
  const { name, path: cookiePath, ttl, attributes } = proto;
  if (name === '') return refuse(`${path}.cookie.name`, 'is empty');
  if (/[;=\s]/.test(name)) refuse(`${path}.cookie.name`, 'has a separator in it');
  const suffix = [
    ...(cookiePath === '' ? [] : [`; Path=${cookiePath}`]),
    ...attributes.map((attribute) => `; ${attribute.name}${attribute.value === '' ? '' : `=${attribute.value}`}`),
  ].join('');
  const seconds = ttl === undefined ? null : Math.floor(durationMs(ttl) / 1000);
  return (request, info) => {
    const known = cookieOf(request, name);
    if (known !== null) return xxHash64(known);
    if (seconds === null) return null;
    const { remoteAddress, localAddress, id } = info.connection;
    const hash = xxHash64(`${remoteAddress}${localAddress}${id}`);
    const value = hash.toString(16).padStart(16, '0');
    const age = seconds === 0 ? '' : `; Max-Age=${seconds}`;
    info.cookiesToSet ??= [];
    info.cookiesToSet.push(`${name}="${value}"${age}${suffix}; HttpOnly`);
    return xxHash64(value);
  };
}

function cookieOf(request: RoutableRequest, name: string): string | null {
  for (const header of request.headers.getAll('cookie')) {
    for (const part of header.split(';')) {
      const at = part.indexOf('=');
      if (at === -1 || part.slice(0, at).trim() !== name) continue;
      return part
        .slice(at + 1)
        .trim()
        .replace(/^"(.*)"$/, '$1');
    }
  }
  return null;
}

function valuesOf(request: RoutableRequest, name: string): string[] {
  switch (name) {
    case ':authority':
    case 'host':
      return [request.authority];
    case ':path':
      return [request.path];
    case ':method':
      return [request.method];
    case ':scheme':
      return [request.scheme];
    default:
      return request.headers.getAll(name);
  }
}
