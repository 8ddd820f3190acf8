import type { BodySink } from '../ports/body-sink.ts';
import type { HeaderList } from '@flotilla/http-codec';

/**
 * The way of a body through the filters that take it. It grows at its far end, one filter at a time; what comes before
 * the next station is known waits there.
 */
export class BodyLane implements BodySink {
  readonly #entry: Junction;
  readonly #onHeld: () => void;
  #last: Junction;

  /** `onHeld`: bytes wait, so the sender should. */
  constructor(onHeld: () => void) {
    this.#onHeld = onHeld;
    this.#last = new Junction(onHeld);
    this.#entry = this.#last;
  }

  data(chunk: Buffer): void {
    this.#entry.data(chunk);
  }

  end(trailers: HeaderList | null): void {
    this.#entry.end(trailers);
  }

  /** Leads the body through a filter; `open` gets what follows the filter. */
  through(open: (next: BodySink) => BodySink | null): void {
    const following = new Junction(this.#onHeld);
    const sink = open(following);
    if (sink === null) return;
    const before = this.#last;
    this.#last = following;
    before.lead(sink);
  }

  /** The lane's end. */
  arrive(sink: BodySink): void {
    this.#last.lead(sink);
  }
}

/** Hands on to its target; keeps what comes before there is one. */
class Junction implements BodySink {
  readonly #onHeld: () => void;
  #target: BodySink | null = null;
  #held: Buffer[] = [];
  /** Undefined: the end has not come. */
  #end: HeaderList | null | undefined;

  constructor(onHeld: () => void) {
    this.#onHeld = onHeld;
  }

  data(chunk: Buffer): void {
    if (this.#target !== null) return this.#target.data(chunk);
    this.#held.push(chunk);
    this.#onHeld();
  }

  end(trailers: HeaderList | null): void {
    if (this.#target !== null) this.#target.end(trailers);
    else this.#end = trailers;
  }

  lead(target: BodySink): void {
    this.#target = target;
    const held = this.#held;
    this.#held = [];
    for (const chunk of held) target.data(chunk);
    if (this.#end !== undefined) target.end(this.#end);
  }
}
