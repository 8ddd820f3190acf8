import {
  createConnectRouter,
  type ConnectRouter,
  type ConnectRouterOptions,
  type Interceptor,
  Code,
  ConnectError,
} from '@connectrpc/connect';
import { FlotillaError } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import type { Meter, Tracer } from '@opentelemetry/api';
import { toConnectError } from '../errors.ts';
import { countCalls } from './count.ts';
import { traceCalls } from './trace.ts';

/** Registers the services of a server or of an in-memory transport. */
export type Routes = (router: ConnectRouter) => unknown;

export interface RouterSettings {
  readonly logger: Logger | null;
  /** Ends streaming calls when the server begins to close; unary calls go on. */
  readonly closing: AbortSignal | null;
  readonly tracer?: Tracer | null;
  readonly meter?: Meter | null;
  readonly options?: ConnectRouterOptions;
}

/** Options of a router whose handlers may throw `FlotillaError`s. */
export function routerOptions(settings: RouterSettings): ConnectRouterOptions {
  const { tracer = null, meter = null } = settings;
  const trace = tracer === null ? [] : [traceCalls(tracer)];
  const count = meter === null ? [] : [countCalls(meter)];
  return { ...settings.options, interceptors: [...trace, ...count, mapErrors(settings.logger, settings.closing)] };
}

export function createRouter(routes: Routes, settings: RouterSettings): ConnectRouter {
  const router = createConnectRouter(routerOptions(settings));
  routes(router);
  return router;
}

function mapErrors(logger: Logger | null, closing: AbortSignal | null): Interceptor {
  return (next) => async (request) => {
    const fail = (thrown: unknown): ConnectError => {
      const isOurFault = !(thrown instanceof ConnectError) && FlotillaError.from(thrown).code === 'internal';
      if (isOurFault) logger?.error('a call failed', { method: methodName(request), error: thrown });
      return toConnectError(thrown);
    };
    try {
      const response = await next(request);
      return response.stream ? { ...response, message: watched(response.message, fail, closing) } : response;
    } catch (thrown) {
      throw fail(thrown);
    }
  };
}

function methodName(request: { readonly service: { typeName: string }; readonly method: { name: string } }): string {
  return `${request.service.typeName}/${request.method.name}`;
}

/** The same messages, with mapped errors; fails with `Unavailable` as soon as `closing` fires. */
function watched<T>(messages: AsyncIterable<T>, fail: (thrown: unknown) => ConnectError, closing: AbortSignal | null) {
  return {
    [Symbol.asyncIterator](): AsyncIterator<T> {
      const inner = messages[Symbol.asyncIterator]();
      // The listener lives for one message only: a promise raced against for each message of a long stream would
      // collect reactions until the stream ends.
      const next = () =>
        new Promise<IteratorResult<T>>((resolve, reject) => {
          const onClosing = () => {
            reject(new ConnectError('the server is closing', Code.Unavailable));
            // Not awaited: a generator that waits for its next event returns only after that event.
            void inner.return?.().catch(() => undefined);
          };
          if (closing?.aborted === true) return onClosing();
          closing?.addEventListener('abort', onClosing, { once: true });
          inner
            .next()
            .then(resolve, (thrown: unknown) => reject(fail(thrown)))
            .finally(() => closing?.removeEventListener('abort', onClosing));
        });
      return {
        next,
        async return() {
          await inner.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}
