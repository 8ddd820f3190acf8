import type { OutgoingHttpHeaders } from 'node:http';
import type { HttpClient } from '../http/client.ts';
import { isRecord, parseJson } from '../http/json.ts';
import type { ReviewsSettings } from './settings.ts';

export type Rating = { readonly stars: number; readonly color: string } | { readonly error: string };

const UNAVAILABLE: Rating = { error: 'Ratings service is currently unavailable' };

/**
 * Asks the ratings service about a book and gives a look-up by reviewer. Never rejects: when there is no usable answer the
 * reason is logged and every rating says that it is unavailable.
 */
export async function fetchRatings(
  client: HttpClient,
  settings: ReviewsSettings & { readonly starColor: string },
  productId: number,
  headers: OutgoingHttpHeaders,
): Promise<(reviewer: string) => Rating> {
  const url = `${settings.ratingsUrl}/ratings/${productId}`;
  try {
    const reply = await client.get(url, { headers, timeoutMs: settings.ratingsTimeoutMs });
    if (reply.status !== 200) throw new Error(`GET ${url}: status ${reply.status}`);
    const body = parseJson(reply.body);
    const ratings = isRecord(body) ? body['ratings'] : undefined;
    if (!isRecord(ratings)) throw new Error(`GET ${url}: the answer holds no ratings`);
    return (reviewer) => {
      const stars = ratings[reviewer];
      return typeof stars === 'number' ? { stars, color: settings.starColor } : UNAVAILABLE;
    };
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return () => UNAVAILABLE;
  }
}
