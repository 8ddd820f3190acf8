import type { Finding } from '@flotilla/model';

/** What galley has to say about documents. */
export interface Report {
  readonly findings: readonly Finding[];
  readonly ignored: readonly string[];
}
