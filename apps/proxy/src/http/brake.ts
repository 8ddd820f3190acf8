/** Stops a flow while at least one of several holders wants that. */
export class Brake {
  readonly #stop: () => void;
  readonly #go: () => void;
  readonly #holders = new Set<object>();

  constructor(stop: () => void, go: () => void) {
    this.#stop = stop;
    this.#go = go;
  }

  hold(holder: object): void {
    this.#holders.add(holder);
    if (this.#holders.size === 1) this.#stop();
  }

  release(holder: object): void {
    if (this.#holders.delete(holder) && this.#holders.size === 0) this.#go();
  }
}
