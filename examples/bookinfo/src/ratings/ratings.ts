import { HttpError } from '../http/http-error.ts';
import { isRecord, parseJson } from '../http/json.ts';

/** Stars by reviewer. */
export type Ratings = Readonly<Record<string, number>>;

export const DEFAULT_RATINGS: Ratings = { Reviewer1: 5, Reviewer2: 4 };

/** Reads posted ratings; a 400 `HttpError` says everything that is wrong with them. */
export function decodeRatings(text: string): Ratings {
  const value = parseJson(text);
  if (!isRecord(value)) throw new HttpError(400, 'ratings must be a JSON object such as {"Reviewer1": 5}');
  const faults: string[] = [];
  const ratings: [string, number][] = [];
  for (const [reviewer, stars] of Object.entries(value)) {
    if (typeof stars === 'number' && stars >= 0 && stars <= 5) ratings.push([reviewer, stars]);
    else faults.push(`${reviewer}: must be a number from 0 to 5`);
  }
  if (faults.length > 0) throw new HttpError(400, faults.join('; '));
  return Object.fromEntries(ratings);
}
