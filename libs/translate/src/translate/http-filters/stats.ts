import { defineHttpFilter } from './http-filter.ts';
import { typedStruct } from './typed-struct.ts';

/** Istio's standard metrics. */
export const stats = defineHttpFilter({
  name: 'istio.stats',
  guards: false,
  negotiated: {
    announced: ['istio.stats', 'envoy.filters.http.istio_stats', 'stats.PluginConfig'],
    consequence: "istio.stats: the proxy writes its own statistics instead of Istio's standard metrics",
  },
  inputs: () => ({}),
  manager: () => typedStruct('type.googleapis.com/stats.PluginConfig', {}),
});
