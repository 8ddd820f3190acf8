/** What a listener wants to have by name, before it is used and while it is. */
export interface NeededResource {
  /** Of the statistics of its updates, without the last dot. */
  readonly statPrefix: string;
  /** How long the listener waits for it, milliseconds; 0: without end; null: not at all. */
  readonly fetchTimeoutMs: number | null;
}

/** The configuration of a filter that is found by name (ECDS). */
export interface NeededExtension extends NeededResource {
  /** Message types that it may have. */
  readonly typeNames: ReadonlySet<string>;
}
