import { type Any, durationMs } from '@bufbuild/protobuf/wkt';
import { ConnectionLimitSchema } from '@flotilla/wire/envoy/extensions/filters/network/connection_limit/v3/connection_limit_pb.js';
import { ConfigSchema as SetFilterStateSchema } from '@flotilla/wire/envoy/extensions/filters/network/set_filter_state/v3/set_filter_state_pb.js';
import { FilterConfigSchema as SniForwardProxySchema } from '@flotilla/wire/envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy_pb.js';
import { LocalRateLimitSchema } from '@flotilla/wire/envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit_pb.js';
import { inField, refuse, unpackValid } from '@flotilla/envoy';
import { FilterState, StreamInfo } from '@flotilla/stream';
import { compileFilterStateValues } from '@flotilla/format';
import { compileDnsCache } from '../upstream/dns-cache.ts';
import { compileTokenBucket, TokenBucket } from '../base/token-bucket.ts';
import type { AcceptedConnection, NetworkFilter, OpenConnection } from '../ports/accepted-connection.ts';
import type { NetworkFilterScope } from '../ports/network-filter-scope.ts';

/** What a gate decided; `closeAfterMs` 0: at once. */
export type GateVerdict = 'pass' | { readonly closeAfterMs: number };

/** A network filter before the last: lets connections pass to the next, or not. */
export interface ConnectionGate {
  decide(connection: AcceptedConnection): GateVerdict;
  /** A connection that it let pass, or not, is over. */
  readonly onClose: (() => void) | null;
}

/** The gates before the last filter of a chain, as one filter. */
export function behindGates(
  gates: readonly ConnectionGate[],
  last: NetworkFilter,
  { ctx }: NetworkFilterScope,
): NetworkFilter {
  if (gates.length === 0) return last;
  return {
    ...last,
    open(accepted, onClose) {
      const passed: ConnectionGate[] = [];
      const close = (): void => {
        for (const gate of passed) gate.onClose?.();
        onClose();
      };
      for (const gate of gates) {
        passed.push(gate);
        const verdict = gate.decide(accepted);
        if (verdict === 'pass') continue;
        const { socket } = accepted;
        socket.once('close', close);
        if (verdict.closeAfterMs === 0) socket.destroy();
        else {
          const timer = ctx.clock.after(verdict.closeAfterMs, () => socket.destroy());
          socket.once('close', () => timer.cancel());
        }
        return refused(accepted);
      }
      return last.open(accepted, close);
    },
  };
}

function refused({ socket }: AcceptedConnection): OpenConnection {
  return { drain: () => socket.destroy(), destroy: () => socket.destroy() };
}

/** `connection_limit`: so many connections at a time; more are closed, after a delay if there is one. */
export function compileConnectionLimit(any: Any, { ctx }: NetworkFilterScope): ConnectionGate {
  const proto = unpackValid(any, ConnectionLimitSchema);
  if (proto === undefined) return refuse('connection_limit', 'cannot be decoded');
  if (proto.maxConnections === undefined || proto.maxConnections === 0n) refuse('max_connections', 'is missing or 0');
  const max = Number(proto.maxConnections);
  const closeAfterMs = proto.delay === undefined ? 0 : durationMs(proto.delay);
  const isOn = proto.runtimeEnabled?.defaultValue !== false;
  const prefix = `connection_limit.${proto.statPrefix}.`;
  const active = ctx.stats.gauge(`${prefix}active_connections`);
  const limited = ctx.stats.counter(`${prefix}limited_connections`);
  return {
    decide() {
      active.value += 1;
      if (!isOn || active.value <= max) return 'pass';
      limited.value += 1;
      return { closeAfterMs };
    },
    onClose: () => void (active.value -= 1),
  };
}

/** `local_ratelimit`: a connection takes a token, or is closed. */
export function compileConnectionRateLimit(any: Any, { ctx }: NetworkFilterScope): ConnectionGate {
  const proto = unpackValid(any, LocalRateLimitSchema);
  if (proto === undefined) return refuse('local_ratelimit', 'cannot be decoded');
  if (proto.tokenBucket === undefined) return refuse('token_bucket', 'is missing');
  const bucket = new TokenBucket(compileTokenBucket(proto.tokenBucket, 'token_bucket'), ctx.clock);
  const isOn = proto.runtimeEnabled?.defaultValue !== false;
  const limited = ctx.stats.counter(`local_rate_limit.${proto.statPrefix}.rate_limited`);
  return {
    decide() {
      if (!isOn || bucket.take(1)) return 'pass';
      limited.value += 1;
      return { closeAfterMs: 0 };
    },
    onClose: null,
  };
}

/** `set_filter_state`: notes texts down on the connection. Throws `invalid`. */
export function compileSetFilterState(any: Any, { ctx }: NetworkFilterScope): ConnectionGate {
  const proto = unpackValid(any, SetFilterStateSchema);
  if (proto === undefined) return refuse('set_filter_state', 'cannot be decoded');
  const set = compileFilterStateValues(proto.onNewConnection, 'on_new_connection', ctx.surroundings);
  return {
    decide(connection) {
      const { info } = connection;
      info.filterState ??= new FilterState(null);
      set(info.filterState, connection.record ?? new StreamInfo(info, ctx.clock.now(), ctx.clock.monotonicMs()));
      connection.clusterName = info.filterState.get('envoy.tcp_proxy.cluster') ?? connection.clusterName;
      return 'pass';
    },
    onClose: null,
  };
}

/**
 * `sni_dynamic_forward_proxy`: the connection goes to the host that the server name of TLS names, or that was noted down
 * in `envoy.upstream.dynamic_host` and `envoy.upstream.dynamic_port`. Throws `invalid`.
 */
export function compileSniDynamicForwardProxy(any: Any): ConnectionGate {
  const proto = unpackValid(any, SniForwardProxySchema);
  if (proto === undefined) return refuse('sni_dynamic_forward_proxy', 'cannot be decoded');
  const { dnsCacheConfig, portSpecifier } = proto;
  if (dnsCacheConfig === undefined) return refuse('dns_cache_config', 'is missing');
  // What counts is the cluster's, of the same name; this one is only checked.
  inField('dns_cache_config', () => void compileDnsCache(dnsCacheConfig));
  const port = String(portSpecifier.case === 'portValue' ? portSpecifier.value : 443);
  return {
    decide(connection) {
      const { filterState, requestedServerName } = connection.info;
      const host = filterState?.get('envoy.upstream.dynamic_host') ?? requestedServerName ?? '';
      const chosen = filterState?.get('envoy.upstream.dynamic_port') ?? port;
      if (host !== '') connection.dynamicHost = `${host.includes(':') ? `[${host}]` : host}:${chosen}`;
      return 'pass';
    },
    onClose: null,
  };
}

/** `sni_cluster`: the server name of TLS is the name of the cluster that a TCP proxy goes to. */
export const sniCluster: ConnectionGate = {
  decide(connection) {
    connection.clusterName = connection.info.requestedServerName;
    return 'pass';
  },
  onClose: null,
};
