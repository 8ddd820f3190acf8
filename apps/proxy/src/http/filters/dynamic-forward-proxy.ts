import {
  FilterConfigSchema,
  PerRouteConfigSchema,
} from '@flotilla/wire/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy_pb.js';
import { ResponseFlag } from '@flotilla/stream';
import type { ClusterManager } from '../../ports/cluster-manager.ts';
import { compileDnsCache } from '../../upstream/dns-cache.ts';
import type { FilterFactory, FilterStream, FilterVerdict, HttpFilter } from '../../ports/http-filter.ts';
import type { LocalReply } from '../../ports/local-reply.ts';
import { inField, refuse } from '@flotilla/envoy';
import type { RoutableRequest } from '@flotilla/route';
import { type FilterConfig, type HttpFilterScope, messageOf } from './filter-config.ts';

type HostRewrite = (request: RoutableRequest) => string;

/** Has the name that a request goes to looked up, where its cluster takes hosts from requests. */
export function compileDynamicForwardProxyFilter(
  name: string,
  typed: FilterConfig,
  { ctx }: HttpFilterScope,
): FilterFactory {
  const proto = messageOf(typed, FilterConfigSchema);
  const implementation = proto.implementationSpecifier;
  if (implementation.case !== 'dnsCacheConfig') return refuse('dns_cache_config', 'is missing');
  // What counts is the cluster's, of the same name; this one is only checked.
  inField('dns_cache_config', () => void compileDnsCache(implementation.value));
  return {
    name,
    record: null,
    bind: (perRoute) => () => new DynamicForwardProxyFilter(ctx.clusters, perRoute as HostRewrite | undefined), // made below
  };
}

/** Compiles a `PerRouteConfig`: another host than the request's own. Throws `invalid`. */
export function compileDynamicForwardProxyRoute(typed: FilterConfig): HostRewrite {
  const { hostRewriteSpecifier: rule } = messageOf(typed, PerRouteConfigSchema);
  switch (rule.case) {
    case 'hostRewriteLiteral': {
      const { value } = rule;
      return () => value;
    }
    case 'hostRewriteHeader': {
      const header = rule.value.toLowerCase();
      return ({ headers, authority }) => headers.get(header) ?? authority;
    }
    case undefined:
      return refuse('host_rewrite_specifier', 'is missing');
  }
}

const cacheOverflow: LocalReply = {
  status: 503,
  body: 'DNS cache overflow',
  details: 'dns_cache_overflow',
  flags: ResponseFlag.UpstreamOverflow,
  headers: null,
};

function notResolved(reason: string): LocalReply {
  return {
    status: 503,
    body: 'DNS resolution failure',
    details: reason === '' ? 'dns_resolution_failure' : `dns_resolution_failure{${reason}}`,
    flags: ResponseFlag.DnsResolutionFailed,
    headers: null,
  };
}

class DynamicForwardProxyFilter implements HttpFilter {
  readonly #clusters: ClusterManager;
  readonly #rewrite: HostRewrite | undefined;
  #isOver = false;

  constructor(clusters: ClusterManager, rewrite: HostRewrite | undefined) {
    this.#clusters = clusters;
    this.#rewrite = rewrite;
  }

  onRequest(stream: FilterStream): FilterVerdict {
    const cluster = stream.info.upstreamCluster === null ? null : this.#clusters.get(stream.info.upstreamCluster);
    const hosts = cluster?.dynamicHosts ?? null;
    if (hosts === null) return 'continue';
    const { request } = stream;
    if (this.#rewrite !== undefined) request.authority = this.#rewrite(request);
    const answer = hosts.resolve(request.authority, () => {
      if (this.#isOver) return;
      if (hosts.hostFor(request.authority) === null) {
        stream.sendLocalReply(notResolved(hosts.failureOf(request.authority)));
      } else stream.continueRequest();
    });
    if (answer === 'pending') return 'stop';
    if (answer === 'known' && hosts.hostFor(request.authority) !== null) return 'continue';
    stream.sendLocalReply(answer === 'overflow' ? cacheOverflow : notResolved(hosts.failureOf(request.authority)));
    return 'stop';
  }

  onEnd(): void {
    this.#isOver = true;
  }
}
