import type { StreamInfo } from '@flotilla/stream';

/** A compiled expression of the Common Expression Language over what is known of a stream. */
export interface CelProgram {
  /** False also where the expression asks for what is not there, as in Envoy. */
  holds(info: StreamInfo): boolean;
  /** Null: the expression asks for what is not there, or its value has no form in a log. */
  value(info: StreamInfo): string | number | boolean | null;
}
