import type { Socket } from 'node:net';
import type { Any } from '@bufbuild/protobuf/wkt';
import type { Clock } from '@flotilla/runtime';
import { ProxyProtocolConfig_Version as Version } from '@flotilla/wire/envoy/config/core/v3/proxy_protocol_pb.js';
import { ProxyProtocolSchema } from '@flotilla/wire/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.js';
import { refuse, unpackValid } from '@flotilla/envoy';
import type { Counter, StatsRegistry } from '../base/stats.ts';
import { parseProxyHeader, type ProxyHeader } from '../protocol/proxy-protocol.ts';

/** The listener filter `proxy_protocol`, compiled. */
export interface ProxyProtocolSettings {
  /** Connections without a header are served, too. */
  readonly isOptional: boolean;
  readonly versions: ReadonlySet<1 | 2>;
  /** 0: wait as long as it takes. */
  readonly timeoutMs: number;
  readonly stats: ProxyProtocolStats;
}

interface ProxyProtocolStats {
  readonly missingAllowed: Counter;
  readonly missingRefused: Counter;
  readonly found: Readonly<Record<1 | 2, Counter>>;
  readonly disallowed: Readonly<Record<1 | 2, Counter>>;
  readonly error: Readonly<Record<1 | 2, Counter>>;
}

/** Compiles the filter. Throws `invalid` for what is not supported. */
export function compileProxyProtocol(
  any: Any | undefined,
  timeoutMs: number,
  registry: StatsRegistry,
): ProxyProtocolSettings {
  const proto = any === undefined ? undefined : unpackValid(any, ProxyProtocolSchema);
  if (any !== undefined && proto === undefined) return refuse('proxy_protocol', 'cannot be decoded');
  const versions = new Set<1 | 2>([1, 2]);
  for (const version of proto?.disallowedVersions ?? []) versions.delete(version === Version.V1 ? 1 : 2);
  if (versions.size === 0) refuse('disallowed_versions', 'leaves no version');
  const prefix = `proxy_proto.${proto === undefined || proto.statPrefix === '' ? '' : `${proto.statPrefix}.`}`;
  const byVersion = (name: string) => ({
    1: registry.counter(`${prefix}versions.v1.${name}`),
    2: registry.counter(`${prefix}versions.v2.${name}`),
  });
  return {
    isOptional: proto?.allowRequestsWithoutProxyProtocol === true,
    versions,
    timeoutMs,
    stats: {
      missingAllowed: registry.counter(`${prefix}not_found_allowed`),
      missingRefused: registry.counter(`${prefix}not_found_disallowed`),
      found: byVersion('found'),
      disallowed: byVersion('disallowed'),
      error: byVersion('error'),
    },
  };
}

/** What a connection began with: its header, if it had one, and the bytes after it. */
export interface ProxiedStart {
  readonly header: ProxyHeader | null;
  readonly rest: Buffer | null;
}

/** Reads the PROXY header, then pauses the socket and calls `done` (null: close the connection). */
export function readProxyHeader(
  socket: Socket,
  settings: ProxyProtocolSettings,
  clock: Clock,
  done: (start: ProxiedStart | null) => void,
): void {
  let seen: Buffer | null = null;
  const timer = settings.timeoutMs === 0 ? null : clock.after(settings.timeoutMs, () => finish(null));
  const finish = (start: ProxiedStart | null): void => {
    timer?.cancel();
    socket.off('data', onData).off('end', onEnd).off('close', onEnd);
    socket.pause();
    done(start);
  };
  const onData = (chunk: Buffer): void => {
    seen = seen === null ? chunk : Buffer.concat([seen, chunk]);
    const start = startOf(seen, settings);
    if (start !== 'incomplete') finish(start);
  };
  const onEnd = (): void => finish(null);
  socket.on('data', onData).on('end', onEnd).on('close', onEnd);
  socket.resume();
}

function startOf(
  seen: Buffer,
  { versions, isOptional, stats }: ProxyProtocolSettings,
): ProxiedStart | null | 'incomplete' {
  const parsed = parseProxyHeader(seen);
  if (parsed === 'incomplete') return 'incomplete';
  if (parsed === 'none') {
    (isOptional ? stats.missingAllowed : stats.missingRefused).value += 1;
    return isOptional ? { header: null, rest: seen } : null;
  }
  if ('malformed' in parsed) {
    stats.error[parsed.malformed].value += 1;
    return null;
  }
  if (!versions.has(parsed.version)) {
    stats.disallowed[parsed.version].value += 1;
    // Where headers are optional it is taken for data (Envoy).
    return isOptional ? { header: null, rest: seen } : null;
  }
  stats.found[parsed.version].value += 1;
  return { header: parsed, rest: parsed.size === seen.length ? null : seen.subarray(parsed.size) };
}
