import { describe, expect, test } from 'vitest';
import { parseProductpageSettings } from './productpage/settings.ts';
import { parseReviewsSettings } from './reviews/settings.ts';

describe('neighbours', () => {
  test('are found by their names', () => {
    expect(parseProductpageSettings({})).toMatchObject({
      detailsUrl: 'http://details:9080',
      reviewsUrl: 'http://reviews:9080',
      ratingsUrl: 'http://ratings:9080',
      callTimeoutMs: 3000,
    });
  });

  test('can be elsewhere', () => {
    const env = { REVIEWS_HOSTNAME: 'r', REVIEWS_SERVICE_PORT: '81', SERVICES_DOMAIN: 'prod.example' };
    expect(parseProductpageSettings(env)).toMatchObject({
      detailsUrl: 'http://details.prod.example:9080',
      reviewsUrl: 'http://r.prod.example:81',
    });
  });
});

test('the folder of style sheets and pictures is beside the sources, or named', () => {
  expect(parseProductpageSettings({}).staticFolder.pathname).toMatch(/examples\/bookinfo\/static\/$/);
  expect(parseProductpageSettings({ STATIC_FOLDER: '/srv/static' }).staticFolder.pathname).toBe('/srv/static/');
});

describe('the proxy of the environment', () => {
  test.each([
    [{ HTTP_PROXY: 'http://p' }, false],
    [{ HTTP_PROXY: 'http://p', NODE_USE_ENV_PROXY: '0' }, false],
    [{ HTTP_PROXY: 'http://p', NODE_USE_ENV_PROXY: '1' }, true],
  ])('%j: used %s', (env, isUsed) => {
    expect(parseProductpageSettings(env).proxyEnv).toBe(isUsed ? env : undefined);
  });
});

describe('reviews', () => {
  test.each([
    [{}, 'reviews-v1', null, 10_000],
    [{ SERVICE_VERSION: 'v1' }, 'reviews-v1', null, 10_000],
    [{ SERVICE_VERSION: 'v2' }, 'reviews-v2', 'black', 10_000],
    [{ SERVICE_VERSION: 'v3' }, 'reviews-v3', 'red', 2_500],
    [{ SERVICE_VERSION: 'v3', ENABLE_RATINGS: 'false' }, 'reviews-v3', null, 2_500],
    [{ ENABLE_RATINGS: 'true' }, 'reviews-v1', 'black', 10_000],
    [{ ENABLE_RATINGS: 'true', STAR_COLOR: 'red', POD_NAME: 'pod-7' }, 'pod-7', 'red', 2_500],
  ])('%j is %s with stars in %s and %i ms for ratings', (env, podName, starColor, ratingsTimeoutMs) => {
    expect(parseReviewsSettings(env)).toMatchObject({ podName, starColor, ratingsTimeoutMs });
  });
});
