import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect';
import { Health, HealthCheckResponse_ServingStatus as ServingStatus } from '@flotilla/wire/grpc/health/v1/health_pb.js';

/** Whether a server can serve, as `grpc.health.v1` tells it. A server starts as serving. */
export interface HealthStatus {
  isServing(): boolean;
  set(isServing: boolean): void;
  /** Calls `listener` at every change, until the returned function is called. */
  subscribe(listener: () => void): () => void;
}

export function createHealthStatus(isServing = true): HealthStatus {
  let serving = isServing;
  const listeners = new Set<() => void>();
  return {
    isServing: () => serving,
    set(value) {
      if (value === serving) return;
      serving = value;
      for (const listener of [...listeners]) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** Serves grpc.health.v1 for the server as a whole (the empty name) and for each service that is routed. */
export function routeHealth(router: ConnectRouter, health: HealthStatus): void {
  const isKnown = (service: string) =>
    service === '' || router.handlers.some((handler) => handler.service.typeName === service);
  const statusNow = () => (health.isServing() ? ServingStatus.SERVING : ServingStatus.NOT_SERVING);
  router.service(Health, {
    check({ service }) {
      if (!isKnown(service)) throw new ConnectError(`no service "${service}" here`, Code.NotFound);
      return { status: statusNow() };
    },
    async *watch({ service }, { signal }) {
      const isServed = isKnown(service);
      let sent: ServingStatus | null = null;
      for (;;) {
        const status = isServed ? statusNow() : ServingStatus.SERVICE_UNKNOWN;
        if (status !== sent) yield { status };
        sent = status;
        if (signal.aborted) return;
        // Between the yield and here the status may have changed already.
        if (isServed && statusNow() !== sent) continue;
        await changed(health, signal);
        if (signal.aborted) return;
      }
    },
  });
}

function changed(health: HealthStatus, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      unsubscribe();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const unsubscribe = health.subscribe(done);
    signal.addEventListener('abort', done);
  });
}
