import { FlotillaError } from '@flotilla/runtime';
import type { FractionalPercent } from '@flotilla/wire/envoy/type/v3/percent_pb.js';

/** Throws `invalid` with the field's path before the reason; the configuration is then refused (NACK). */
export function refuse(path: string, reason: string, hint?: string): never {
  throw new FlotillaError('invalid', `${path}: ${reason}`, hint === undefined ? {} : { hint });
}

/** Runs `compile` and puts the field's path before what it throws. */
export function inField<T>(path: string, compile: () => T): T {
  try {
    return compile();
  } catch (error) {
    throw FlotillaError.from(error, 'invalid').within(path);
  }
}

const DENOMINATORS: readonly number[] = [100, 10_000, 1_000_000];

/** The fraction as a probability in [0,1]. */
export function fractionOf(percent: FractionalPercent | undefined): number {
  return percent === undefined ? 0 : Math.min(1, percent.numerator / denominatorOf(percent));
}

/** 100, 10,000 or a million. */
export function denominatorOf(percent: FractionalPercent | undefined): number {
  return DENOMINATORS[percent?.denominator ?? 0] ?? 100;
}
