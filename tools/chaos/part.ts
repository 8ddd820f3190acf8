import { setTimeout as delay } from 'node:timers/promises';

/** A program that may be ended and started any number of times. */
export interface Program {
  /** May reject when it ends before it is up. */
  start(): unknown;
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<unknown>;
  signal(signal: NodeJS.Signals): void;
  exited(): Promise<unknown>;
}

/** That a part was ended: from the moment before, until it was gone for certain. In milliseconds since the epoch. */
export interface Outage {
  readonly part: string;
  readonly startMs: number;
  goneMs: number;
}

const RESTART_AFTER_MS = 500;
/** As long as deploy/ gives. */
const STOP_GRACE_MS = 15_000;

/** A program under a platform that starts it again when it ends by itself, as containers are with `restart: unless-stopped`. */
export class Part {
  readonly name: string;
  readonly outages: Outage[] = [];
  /** When it ended without having been told to, in milliseconds since the epoch. */
  readonly endedByItselfMs: number[] = [];
  /** How often it had to be killed because it did not end when it was told to. */
  killedAfterGrace = 0;
  readonly #program: Program;
  /** Of the life that is wanted; 0 for none. What watches an earlier one gives up. */
  #life = 0;
  #lives = 0;

  /** `program` runs already. */
  constructor(name: string, program: Program) {
    this.name = name;
    this.#program = program;
    this.#watch();
  }

  /** Ends it, and keeps it down until `up`. */
  async down(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.#life = 0;
    const outage: Outage = { part: this.name, startMs: Date.now(), goneMs: Number.POSITIVE_INFINITY };
    this.outages.push(outage);
    const grace = setTimeout(() => {
      this.killedAfterGrace += 1;
      this.#program.signal('SIGKILL');
    }, STOP_GRACE_MS);
    await this.#program.end(signal);
    clearTimeout(grace);
    outage.goneMs = Date.now();
  }

  /** Starts it; when it cannot start yet, the platform goes on trying. */
  async up(): Promise<void> {
    await this.#start();
    this.#watch();
  }

  /** `SIGSTOP`: it keeps its connections and answers nobody, until `resume`. */
  pause(): void {
    this.#program.signal('SIGSTOP');
  }

  resume(): void {
    this.#program.signal('SIGCONT');
  }

  /** From now on the platform lets it end. */
  release(): void {
    this.#life = 0;
  }

  #watch(): void {
    this.#life = ++this.#lives;
    void this.#keep(this.#life);
  }

  async #keep(life: number): Promise<void> {
    for (;;) {
      await this.#program.exited();
      if (life !== this.#life) return;
      this.endedByItselfMs.push(Date.now());
      await delay(RESTART_AFTER_MS);
      if (life !== this.#life) return;
      await this.#start();
    }
  }

  async #start(): Promise<void> {
    try {
      await this.#program.start();
    } catch {
      // It has ended again, which is seen by who watches it.
    }
  }
}
