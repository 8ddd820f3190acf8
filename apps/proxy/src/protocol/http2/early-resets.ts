/** Requests after which a connection is judged. */
const JUDGED_REQUESTS = 500;
/** A request that its client gives up sooner was hardly meant. */
export const EARLY_MS = 1_000;

/**
 * Counts the requests of a connection that its client gave up at once, which cost the server and not the client. As
 * Envoy: too many are half of all, or of 500 while there are fewer.
 */
export class EarlyResets {
  #requests = 0;
  #early = 0;

  /** A request is over. True: the connection had too many early resets. */
  count(isEarly: boolean): boolean {
    this.#requests += 1;
    if (isEarly) this.#early += 1;
    return this.#early * 2 >= Math.max(this.#requests, JUDGED_REQUESTS);
  }
}
