import type { IncomingMessage, RequestListener } from 'node:http';
import { onTestFinished } from 'vitest';
import { openService, type RunningService } from '../src/http/service.ts';
import {
  parseProductpageSettings,
  parseReviewsSettings,
  startDetails,
  startProductpage,
  startRatings,
  startReviews,
  type Environment,
  type ProductpageSettings,
  type ReviewsSettings,
} from '../src/index.ts';

const ANYWHERE = { host: '127.0.0.1', port: 0 };

// Nothing listens on port 1 of a test machine: what is left out of a shop refuses connections.
const NOWHERE = 'http://127.0.0.1:1';

async function closedAfterTest(starting: Promise<RunningService>): Promise<string> {
  const service = await starting;
  onTestFinished(service.close);
  return service.url;
}

export const openDetails = (): Promise<string> => closedAfterTest(startDetails(ANYWHERE));
export const openRatings = (): Promise<string> => closedAfterTest(startRatings(ANYWHERE));

export function openReviews(env: Environment, settings: Partial<ReviewsSettings> = {}): Promise<string> {
  return closedAfterTest(startReviews({ ...parseReviewsSettings(env), ratingsUrl: NOWHERE, ...settings }, ANYWHERE));
}

export function openProductpage(settings: Partial<ProductpageSettings> = {}): Promise<string> {
  const nowhere = { detailsUrl: NOWHERE, reviewsUrl: NOWHERE, ratingsUrl: NOWHERE };
  return closedAfterTest(startProductpage({ ...parseProductpageSettings({}), ...nowhere, ...settings }, ANYWHERE));
}

/** All four services with one version of reviews; gives productpage's URL. */
export async function openShop(version: string): Promise<string> {
  const [detailsUrl, ratingsUrl] = await Promise.all([openDetails(), openRatings()]);
  const reviewsUrl = await openReviews({ SERVICE_VERSION: version }, { ratingsUrl });
  return openProductpage({ detailsUrl, reviewsUrl, ratingsUrl });
}

export interface StandIn {
  readonly url: string;
  readonly requests: readonly IncomingMessage[];
}

/** A service that keeps the requests it gets and answers as the test says. */
export async function openStandIn(answer: RequestListener): Promise<StandIn> {
  const requests: IncomingMessage[] = [];
  const listener: RequestListener = (request, response) => {
    requests.push(request);
    answer(request, response);
  };
  return { url: await closedAfterTest(openService({ name: 'stand-in', listener }, ANYWHERE)), requests };
}

/** Answers every request with this value. */
export function answering(value: unknown, status = 200): RequestListener {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  };
}

/** Takes requests and never answers. */
export const silent: RequestListener = () => {};

export async function textOf(url: string, headers: Record<string, string> = {}): Promise<string> {
  return (await fetch(url, { headers })).text();
}
