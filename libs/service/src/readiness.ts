import { createHealthStatus, type HealthStatus } from '@flotilla/rpc/server';
import type { Logger } from '@flotilla/observe';

/** One thing that a service cannot serve without. */
export interface Gate {
  open(): void;
  /** `why` completes "not ready: …". Said in the log when it is news. */
  shut(why: string): void;
}

/** Whether a service can serve, and what it waits for. */
export interface Readiness {
  /** A gate that is shut until it is opened; `why` says what is waited for. */
  gate(why: string): Gate;
  isReady(): boolean;
  /** What is missing, a text each; empty when ready. */
  missing(): readonly string[];
  /** The same for `grpc.health.v1`. */
  readonly health: HealthStatus;
  /** From now on not ready, whatever the gates say: the process is ending. */
  stop(): void;
}

/** Ready from the start; each gate that is made holds it back. */
export function createReadiness(logger: Logger): Readiness {
  const shut = new Map<Gate, string>();
  const health = createHealthStatus(true);
  let isStopping = false;
  /** Waiting is how a start goes; what was there and is missing now is news. */
  const missing = (gate: Gate, why: string, say: (message: string) => void): void => {
    if (shut.get(gate) === why) return;
    shut.set(gate, why);
    if (!isStopping) say(`not ready: ${why}`);
    update();
  };
  const update = (): void => {
    const isReady = shut.size === 0 && !isStopping;
    if (isReady && !health.isServing()) logger.info('ready');
    health.set(isReady);
  };
  return {
    gate(why) {
      const gate: Gate = {
        open() {
          if (shut.delete(gate)) update();
        },
        shut: (reason) => missing(gate, reason, (message) => logger.warn(message)),
      };
      missing(gate, why, (message) => logger.info(message));
      return gate;
    },
    isReady: () => health.isServing(),
    missing: () => (isStopping ? ['stopping'] : [...shut.values()]),
    health,
    stop() {
      isStopping = true;
      update();
    },
  };
}
