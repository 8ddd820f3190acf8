import { defineHttpFilter } from './http-filter.ts';
import { typedStruct } from './typed-struct.ts';

/** Names mesh traffic by its HTTP version, so that the server's side need not guess. */
export const alpn = defineHttpFilter({
  name: 'istio.alpn',
  guards: false,
  negotiated: {
    announced: ['istio.alpn', 'envoy.filters.http.alpn', 'istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig'],
    consequence: 'istio.alpn: servers find out the HTTP version of mesh traffic by themselves',
  },
  inputs: () => ({}),
  manager(direction) {
    if (direction === 'inbound') return null;
    const override = (upstream: string, ...names: string[]) => ({ upstream_protocol: upstream, alpn_override: names });
    return typedStruct('type.googleapis.com/istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig', {
      alpn_override: [
        override('HTTP10', 'istio-http/1.0', 'istio', 'http/1.0'),
        override('HTTP11', 'istio-http/1.1', 'istio', 'http/1.1'),
        override('HTTP2', 'istio-h2', 'istio', 'h2'),
      ],
    });
  },
});
