import { isGrpcType } from '@flotilla/stream';
import type { HeaderList } from '@flotilla/http-codec';
import {
  type FilterConfig as StatsProto,
  FilterConfigSchema,
} from '@flotilla/wire/envoy/extensions/filters/http/grpc_stats/v3/config_pb.js';
import type { StatsRegistry } from '../../base/stats.ts';
import type { BodySink } from '../../ports/body-sink.ts';
import type { FilterFactory, FilterStream, FilterVerdict, HttpFilter, ResponseHead } from '../../ports/http-filter.ts';
import { type FilterConfig, type HttpFilterScope, messageOf } from './filter-config.ts';
import { FrameCounter } from '../../protocol/grpc/frames.ts';

interface Settings {
  readonly stats: StatsRegistry;
  /** What of `/service/method` goes into the names of statistics; empty for none of it. */
  readonly nameOf: (service: string, method: string) => string;
  readonly measuresTime: boolean;
}

/** Counts gRPC calls, their outcome and their messages by cluster, and by method where that is asked for. */
export function compileGrpcStatsFilter(name: string, typed: FilterConfig, scope: HttpFilterScope): FilterFactory {
  const proto = messageOf(typed, FilterConfigSchema);
  const settings: Settings = {
    stats: scope.ctx.stats,
    nameOf: compileNames(proto),
    measuresTime: proto.enableUpstreamStats,
  };
  return { name, record: null, bind: () => () => new GrpcStatsFilter(settings) };
}

function compileNames({ perMethodStatSpecifier: which, replaceDotsInGrpcServiceName }: StatsProto): Settings['nameOf'] {
  const nameOf = (service: string, method: string): string =>
    `${replaceDotsInGrpcServiceName ? service.replaceAll('.', '_') : service}.${method}.`;
  switch (which.case) {
    case 'statsForAllMethods':
      return which.value ? nameOf : () => '';
    case 'individualMethodStatsAllowlist': {
      const known = new Set(
        which.value.services.flatMap(({ name, methodNames }) => methodNames.map((each) => `${name}/${each}`)),
      );
      return (service, method) => (known.has(`${service}/${method}`) ? nameOf(service, method) : '');
    }
    case undefined:
      return () => '';
  }
}

class GrpcStatsFilter implements HttpFilter {
  readonly #settings: Settings;
  #prefix: string | null = null;
  #requestMs = 0;
  readonly #requests = new FrameCounter();
  readonly #responses = new FrameCounter();

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  onRequest(stream: FilterStream): FilterVerdict {
    const { request, info } = stream;
    const [path = ''] = request.path.split('?');
    const [, service, method, rest] = path.split('/');
    const isCall = service !== undefined && method !== undefined && rest === undefined && method !== '';
    if (!isGrpcType(request.headers.get('content-type')) || info.upstreamCluster === null) return 'continue';
    const name = isCall ? this.#settings.nameOf(service, method) : '';
    this.#prefix = `cluster.${info.upstreamCluster}.grpc.${name}`;
    this.#requestMs = stream.clock.monotonicMs();
    return 'continue';
  }

  requestBody(_stream: FilterStream, next: BodySink): BodySink | null {
    if (this.#prefix === null) return null;
    return new Counting(this.#requests, next, () => this.#count('request_message_count', this.#requests.count));
  }

  onResponse(stream: FilterStream, head: ResponseHead): FilterVerdict {
    if (this.#prefix !== null && !head.hasBody) this.#finish(stream, head.headers.get('grpc-status'));
    return 'continue';
  }

  responseBody(stream: FilterStream, next: BodySink): BodySink | null {
    if (this.#prefix === null) return null;
    return new Counting(this.#responses, next, (trailers) => {
      this.#count('response_message_count', this.#responses.count);
      if (trailers !== null) this.#finish(stream, trailers.get('grpc-status'));
    });
  }

  #finish(stream: FilterStream, status: string | undefined): void {
    if (status === undefined) return;
    this.#count(status, 1);
    this.#count(status === '0' ? 'success' : 'failure', 1);
    this.#count('total', 1);
    if (this.#settings.measuresTime && this.#prefix !== null) {
      const histogram = this.#settings.stats.histogram(`${this.#prefix}upstream_rq_time`);
      histogram.record(stream.clock.monotonicMs() - this.#requestMs);
    }
  }

  #count(name: string, by: number): void {
    if (by > 0 && this.#prefix !== null) this.#settings.stats.counter(this.#prefix + name).value += by;
  }
}

/** Lets a body pass and counts its messages. */
class Counting implements BodySink {
  readonly #counter: FrameCounter;
  readonly #next: BodySink;
  readonly #onEnd: (trailers: HeaderList | null) => void;

  constructor(counter: FrameCounter, next: BodySink, onEnd: (trailers: HeaderList | null) => void) {
    this.#counter = counter;
    this.#next = next;
    this.#onEnd = onEnd;
  }

  data(chunk: Buffer): void {
    this.#counter.push(chunk);
    this.#next.data(chunk);
  }

  end(trailers: HeaderList | null): void {
    this.#onEnd(trailers);
    this.#next.end(trailers);
  }
}
