import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** Something that happened to a container, as `docker events` tells it. */
export interface ContainerEvent {
  /** `start`, `die`, `health_status: healthy`, … */
  readonly action: string;
  /** Name of the service in the compose file. */
  readonly service: string;
  /** Of `die`. */
  readonly exitCode: number | null;
  readonly atNanoseconds: bigint;
}

/** Follows `docker events --format '{{json .}}'` of compose's containers. */
export class ContainerEvents {
  readonly #child: ChildProcess;
  readonly #events: ContainerEvent[] = [];
  #wake = Promise.withResolvers<void>();

  constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout === null) throw new Error('docker events has no standard output');
    createInterface(child.stdout).on('line', (line) => {
      const event = decode(line);
      if (event === null) return;
      this.#events.push(event);
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    });
  }

  of(service: string, action: string): ContainerEvent[] {
    return this.#events.filter((event) => event.service === service && event.action === action);
  }

  get all(): readonly ContainerEvent[] {
    return this.#events;
  }

  /** Resolves with the `count`-th such event, which may have happened already. */
  async until(service: string, action: string, count = 1): Promise<ContainerEvent> {
    for (;;) {
      const found = this.of(service, action)[count - 1];
      if (found !== undefined) return found;
      await this.#wake.promise;
    }
  }

  async close(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await exited;
  }
}

function decode(line: string): ContainerEvent | null {
  // Docker's own format.
  const { Action, Actor, timeNano } = JSON.parse(line) as {
    Action: string;
    Actor: { Attributes: Record<string, string | undefined> };
    timeNano: number;
  };
  const service = Actor.Attributes['com.docker.compose.service'];
  if (service === undefined) return null;
  const exitCode = Actor.Attributes['exitCode'];
  return {
    action: Action,
    service,
    exitCode: exitCode === undefined ? null : Number(exitCode),
    // Past what a number holds exactly, by less than a microsecond.
    atNanoseconds: BigInt(timeNano),
  };
}
