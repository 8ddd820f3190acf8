import { openClient } from '../http/client.ts';
import { forwardHeaders } from '../http/forward-headers.ts';
import { replyJson } from '../http/reply.ts';
import { compileRoutes, parseProductId, type Exchange } from '../http/routes.ts';
import { openService, type ListenAddress, type RunningService } from '../http/service.ts';
import { fetchRatings } from './ratings.ts';
import type { ReviewsSettings } from './settings.ts';
import { REVIEW_TEXTS } from './texts.ts';

export function startReviews(settings: ReviewsSettings, address: ListenAddress): Promise<RunningService> {
  const client = openClient(settings.proxyEnv);
  const { podName, clusterName, starColor } = settings;

  const reviewsOf = async ({ request, response, segment }: Exchange): Promise<void> => {
    const id = parseProductId(segment);
    const reviews =
      starColor === null
        ? REVIEW_TEXTS
        : await fetchRatings(
            client,
            { ...settings, starColor },
            id,
            forwardHeaders(request.headers, ['end-user']),
          ).then((ratingBy) => REVIEW_TEXTS.map((review) => ({ ...review, rating: ratingBy(review.reviewer) })));
    // The id is a string here and a number in the other services: that is how Bookinfo has always answered.
    replyJson(response, 200, { id: String(id), podname: podName, clustername: clusterName, reviews });
  };

  const listener = compileRoutes([
    { method: 'GET', path: '/reviews/*', handle: reviewsOf },
    {
      method: 'GET',
      path: '/health',
      handle: ({ response }) => replyJson(response, 200, { status: 'reviews is healthy' }),
    },
  ]);
  return openService({ name: podName, listener, release: client.close }, address);
}
