import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Surroundings } from '@flotilla/format';
import type { Clock } from '@flotilla/runtime';

/** What formats tell of this process. */
export function processSurroundings({ now }: Pick<Clock, 'now'>): Surroundings {
  return {
    hostName: hostname(),
    // The configuration itself names the variable, so this is the edge where it is read.
    environment: (name) => process.env[name] ?? null,
    now,
    uuid: randomUUID,
  };
}
