import { readBody } from '../http/body.ts';
import { HttpError } from '../http/http-error.ts';
import { replyJson } from '../http/reply.ts';
import { compileRoutes, parseProductId, type Exchange } from '../http/routes.ts';
import { openService, type ListenAddress, type RunningService } from '../http/service.ts';
import { DEFAULT_RATINGS, decodeRatings, type Ratings } from './ratings.ts';

const MAX_BODY_BYTES = 16 * 1024;
const MAX_PRODUCTS = 1000;

/** Ratings live in memory: what is posted is gone after a restart. */
export function startRatings(address: ListenAddress): Promise<RunningService> {
  const posted = new Map<number, Ratings>();

  const setRatings = async ({ request, response, segment }: Exchange): Promise<void> => {
    const id = parseProductId(segment);
    const ratings = decodeRatings(await readBody(request, MAX_BODY_BYTES));
    if (!posted.has(id) && posted.size >= MAX_PRODUCTS) throw new HttpError(507, 'no room for another product');
    posted.set(id, ratings);
    replyJson(response, 200, { id, ratings });
  };

  const listener = compileRoutes([
    {
      method: 'GET',
      path: '/ratings/*',
      handle: ({ response, segment }) => {
        const id = parseProductId(segment);
        replyJson(response, 200, { id, ratings: posted.get(id) ?? DEFAULT_RATINGS });
      },
    },
    { method: 'POST', path: '/ratings/*', handle: setRatings },
    {
      method: 'GET',
      path: '/health',
      handle: ({ response }) => replyJson(response, 200, { status: 'ratings is healthy' }),
    },
  ]);
  return openService({ name: 'ratings', listener }, address);
}
