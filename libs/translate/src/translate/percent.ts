import {
  FractionalPercent_DenominatorType,
  type FractionalPercentSchema,
} from '@flotilla/wire/envoy/type/v3/percent_pb.js';
import type { Init } from './protobuf.ts';

/** A percentage with decimals, to one in a million. */
export function parts(percent: number): Init<typeof FractionalPercentSchema> {
  return { numerator: Math.round(percent * 10_000), denominator: FractionalPercent_DenominatorType.MILLION };
}

export function wholePercent(percent: number): Init<typeof FractionalPercentSchema> {
  return { numerator: percent, denominator: FractionalPercent_DenominatorType.HUNDRED };
}
