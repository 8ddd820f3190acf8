import { HeaderList } from '@flotilla/http-codec';
import { HealthCheckSchema } from '@flotilla/wire/envoy/extensions/filters/http/health_check/v3/health_check_pb.js';
import type { FilterFactory, FilterStream, FilterVerdict, HttpFilter } from '../../ports/http-filter.ts';
import { refuse } from '@flotilla/envoy';
import { compileHeaderRules, type RequestPredicate } from '@flotilla/route';
import { type FilterConfig, type HttpFilterScope, messageOf } from './filter-config.ts';

/** Answers health checks of the proxy itself; nothing of them reaches an upstream. */
export function compileHealthCheckFilter(name: string, typed: FilterConfig, scope: HttpFilterScope): FilterFactory {
  const proto = messageOf(typed, HealthCheckSchema);
  if (proto.passThroughMode === undefined) refuse('pass_through_mode', 'is missing');
  const filter = new HealthCheckFilter(compileHeaderRules(proto.headers, 'headers'), scope.ctx.node.cluster);
  return { name, record: null, bind: () => () => filter };
}

/** Holds no state of a request: one object serves all. */
class HealthCheckFilter implements HttpFilter {
  readonly #rules: readonly RequestPredicate[];
  readonly #cluster: string;

  constructor(rules: readonly RequestPredicate[], cluster: string) {
    this.#rules = rules;
    this.#cluster = cluster;
  }

  onRequest(stream: FilterStream): FilterVerdict {
    if (!this.#rules.every((matches) => matches(stream.request, 0))) return 'continue';
    stream.info.isHealthCheck = true;
    stream.sendLocalReply({
      status: 200,
      body: '',
      details: 'health_check_ok',
      flags: 0,
      headers: HeaderList.of({ 'x-envoy-upstream-healthchecked-cluster': this.#cluster }),
    });
    return 'stop';
  }
}
