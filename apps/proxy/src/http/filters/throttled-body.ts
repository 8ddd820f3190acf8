import type { HeaderList } from '@flotilla/http-codec';
import type { Clock, Timer } from '@flotilla/runtime';
import type { BodySink } from '../../ports/body-sink.ts';

/** Envoy's interval at which a slowed response gets its next bytes. */
const TICK_MS = 50;

/** Lets a body through at a steady rate; who sends it waits meanwhile. */
export class ThrottledBody implements BodySink {
  readonly #next: BodySink;
  readonly #clock: Clock;
  readonly #flow: { hold(): void; release(): void };
  readonly #bytesPerTick: number;
  readonly #waiting: Buffer[] = [];
  #tokens: number;
  #timer: Timer | null = null;
  /** Undefined: the end has not come. */
  #end: HeaderList | null | undefined;

  constructor(kbps: number, next: BodySink, clock: Clock, flow: { hold(): void; release(): void }) {
    this.#next = next;
    this.#clock = clock;
    this.#flow = flow;
    this.#bytesPerTick = Math.max(1, Math.floor((kbps * 1024 * TICK_MS) / 1000));
    this.#tokens = this.#bytesPerTick;
  }

  data(chunk: Buffer): void {
    this.#waiting.push(chunk);
    if (this.#timer === null) this.#send();
  }

  end(trailers: HeaderList | null): void {
    this.#end = trailers;
    if (this.#timer === null) this.#next.end(trailers);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#waiting.length = 0;
  }

  #send(): void {
    for (let [chunk] = this.#waiting; chunk !== undefined && this.#tokens > 0; [chunk] = this.#waiting) {
      const part = chunk.subarray(0, this.#tokens);
      this.#tokens -= part.length;
      if (part.length === chunk.length) this.#waiting.shift();
      else this.#waiting[0] = chunk.subarray(part.length);
      this.#next.data(part);
    }
    if (this.#tokens === 0 || this.#waiting.length > 0) {
      this.#flow.hold();
      this.#timer = this.#clock.after(TICK_MS, () => this.#tick());
      return;
    }
    this.#flow.release();
    if (this.#end !== undefined) this.#next.end(this.#end);
  }

  #tick(): void {
    this.#timer = null;
    this.#tokens = this.#bytesPerTick;
    this.#send();
  }
}
