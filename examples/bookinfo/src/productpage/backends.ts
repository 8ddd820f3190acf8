import type { OutgoingHttpHeaders } from 'node:http';
import { openClient, type CallReply } from '../http/client.ts';
import { parseJson } from '../http/json.ts';
import type { ProductpageSettings } from './settings.ts';

/** What a service said about a book: its JSON, or the sentence shown instead and the status the API passes on. */
export type Outcome =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly status: number; readonly error: string };

/** Never rejects; failures are logged. */
export type Fetch = (productId: number, headers: OutgoingHttpHeaders) => Promise<Outcome>;

export interface Backends {
  readonly fetchDetails: Fetch;
  readonly fetchReviews: Fetch;
  readonly fetchRatings: Fetch;
  readonly close: () => void;
}

/** Reviews are asked for twice before the page gives up, so slow reviews cost it two timeouts; the others once. */
export function openBackends(settings: ProductpageSettings): Backends {
  const client = openClient(settings.proxyEnv);

  const compileFetch = (what: string, baseUrl: string, tries: number): Fetch => {
    return async (productId, headers) => {
      const url = `${baseUrl}/${what}/${productId}`;
      let status = 500;
      for (let left = tries; left > 0; left--) {
        try {
          const reply = await client.get(url, { headers, timeoutMs: settings.callTimeoutMs });
          const value = usableValue(reply);
          if (value !== undefined) return { ok: true, value };
          status = reply.status === 200 ? 500 : reply.status;
          console.error(`GET ${url}: status ${reply.status}, ${reply.body.length} characters, not usable`);
        } catch (error) {
          status = 500;
          console.error(error instanceof Error ? error.message : error);
        }
      }
      return { ok: false, status, error: `Sorry, product ${what} are currently unavailable for this book.` };
    };
  };

  return {
    fetchDetails: compileFetch('details', settings.detailsUrl, 1),
    fetchReviews: compileFetch('reviews', settings.reviewsUrl, 2),
    fetchRatings: compileFetch('ratings', settings.ratingsUrl, 1),
    close: client.close,
  };
}

function usableValue(reply: CallReply): unknown {
  return reply.status === 200 ? parseJson(reply.body) : undefined;
}
