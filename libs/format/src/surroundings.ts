/** What a format may tell of where it is printed. */
export interface Surroundings {
  /** `%HOSTNAME%`. */
  readonly hostName: string;
  /** The value of an environment variable; null: it is not set. Asked when a format is compiled. */
  readonly environment: (name: string) => string | null;
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number;
  /** A new random one for each call. */
  readonly uuid: () => string;
}
