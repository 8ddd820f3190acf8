import { beforeEach, describe, expect, test, vi } from 'vitest';
import {
  openDetails,
  openProductpage,
  openRatings,
  openReviews,
  openShop,
  openStandIn,
  silent,
  textOf,
} from './shop.ts';

beforeEach(() => {
  vi.spyOn(console, 'error').mockImplementation(() => {});
});

const json = async (url: string): Promise<unknown> => (await fetch(url)).json();

describe('productpage', () => {
  test('serves the API over the other services', async () => {
    const api = `${await openShop('v2')}/api/v1/products`;
    expect(await json(api)).toMatchObject([{ id: 0, title: 'The Comedy of Errors' }]);
    expect(await json(`${api}/0`)).toMatchObject({ id: 0, author: 'William Shakespeare' });
    expect(await json(`${api}/0/reviews`)).toMatchObject({ id: '0', podname: 'reviews-v2' });
    expect(await json(`${api}/0/ratings`)).toEqual({ id: 0, ratings: { Reviewer1: 5, Reviewer2: 4 } });
  });

  test('passes a failure on', async () => {
    const response = await fetch(`${await openProductpage()}/api/v1/products/0/ratings`);
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({
      error: 'Sorry, product ratings are currently unavailable for this book.',
    });
  });

  test.each([
    ['/', 200, 'text/html; charset=utf-8'],
    ['/index.html', 200, 'text/html; charset=utf-8'],
    ['/health', 200, 'application/json'],
    ['/static/bookinfo.css', 200, 'text/css; charset=utf-8'],
    ['/static/cover.svg', 200, 'image/svg+xml'],
    ['/static/..%2fpackage.json', 404, 'application/json'],
    ['/static/nothing.css', 404, 'application/json'],
    ['/api/v1/products/x', 400, 'application/json'],
    ['/api/v1/products//reviews', 404, 'application/json'],
    ['/login', 405, 'application/json'],
    ['/nothing', 404, 'application/json'],
  ])('answers GET %s with %i', async (path, status, type) => {
    const response = await fetch((await openProductpage()) + path);
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe(type);
  });
});

describe('details', () => {
  test('describes the book under any number', async () => {
    expect(await json(`${await openDetails()}/details/7`)).toEqual({
      id: 7,
      author: 'William Shakespeare',
      year: 1595,
      type: 'paperback',
      pages: 200,
      publisher: 'PublisherA',
      language: 'English',
      'ISBN-10': '1234567890',
      'ISBN-13': '123-1234567890',
    });
  });
});

describe('reviews', () => {
  test('v1 gives no ratings and asks for none', async () => {
    const ratings = await openStandIn(silent);
    const answer = await textOf(`${await openReviews({}, { ratingsUrl: ratings.url })}/reviews/0`);
    expect(answer).toContain('"podname":"reviews-v1"');
    expect(answer).not.toContain('rating');
    expect(ratings.requests).toHaveLength(0);
  });

  test('v3 gives red stars', async () => {
    const reviews = await openReviews({ SERVICE_VERSION: 'v3' }, { ratingsUrl: await openRatings() });
    expect(await json(`${reviews}/reviews/0`)).toMatchObject({
      id: '0',
      podname: 'reviews-v3',
      clustername: 'null',
      reviews: [
        { reviewer: 'Reviewer1', rating: { stars: 5, color: 'red' } },
        { reviewer: 'Reviewer2', rating: { stars: 4, color: 'red' } },
      ],
    });
  });

  test('says so when ratings take too long', async () => {
    const ratings = await openStandIn(silent);
    const reviews = await openReviews({ SERVICE_VERSION: 'v2' }, { ratingsUrl: ratings.url, ratingsTimeoutMs: 50 });
    const rating = { error: 'Ratings service is currently unavailable' };
    expect(await json(`${reviews}/reviews/0`)).toMatchObject({ reviews: [{ rating }, { rating }] });
  });
});

describe('ratings', () => {
  test('keeps what is posted, for that product', async () => {
    const ratings = await openRatings();
    const post = await fetch(`${ratings}/ratings/1`, { method: 'POST', body: '{"Reviewer1": 1}' });
    expect(await post.json()).toEqual({ id: 1, ratings: { Reviewer1: 1 } });
    expect(await json(`${ratings}/ratings/1`)).toEqual({ id: 1, ratings: { Reviewer1: 1 } });
    expect(await json(`${ratings}/ratings/0`)).toEqual({ id: 0, ratings: { Reviewer1: 5, Reviewer2: 4 } });
  });

  test.each(['', 'no', '[]', '{"Reviewer1": "5"}', '{"Reviewer1": 6}'])('refuses %j', async (body) => {
    const response = await fetch(`${await openRatings()}/ratings/0`, { method: 'POST', body });
    expect(response.status).toBe(400);
  });
});

test.each([
  ['details', openDetails],
  ['reviews', () => openReviews({})],
  ['ratings', openRatings],
])('%s is healthy', async (name, open) => {
  expect(await json(`${await open()}/health`)).toEqual({ status: `${name} is healthy` });
});
