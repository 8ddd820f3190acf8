import { beforeEach, describe, expect, test, vi } from 'vitest';
import { answering, openDetails, openProductpage, openReviews, openShop, openStandIn, silent, textOf } from './shop.ts';

// Failing calls are logged; the tests that make them fail need not show it.
beforeEach(() => {
  vi.spyOn(console, 'error').mockImplementation(() => {});
});

describe('the product page', () => {
  test('shows the book and its details', async () => {
    const page = await textOf(`${await openShop('v1')}/productpage`);
    for (const marker of [
      '<title>Simple Bookstore App</title>',
      'The Comedy of Errors',
      'Book Details',
      'paperback',
      'PublisherA',
      '123-1234567890',
      'Book Reviews',
    ]) {
      expect(page).toContain(marker);
    }
  });

  test.each([
    ['v1', null, 'black'],
    ['v2', 'black', 'red'],
    ['v3', 'red', 'black'],
  ])('with reviews %s has stars in %s', async (version, color, otherColor) => {
    const page = await textOf(`${await openShop(version)}/productpage`);
    expect(page).toContain(`Reviews served by: reviews-${version}`);
    expect(page).toContain('Reviewer1');
    expect(page).not.toContain(`stars-${otherColor}`);
    if (color === null) {
      expect(page).not.toMatch(/[★☆]/);
    } else {
      expect(page).toContain(`class="stars stars-${color}" data-color="${color}"`);
      expect(page).toContain(`aria-label="4 of 5 stars, ${color}">★★★★☆<`);
    }
  });

  test('says which section has no answer and shows the rest', async () => {
    const response = await fetch(`${await openProductpage({ detailsUrl: await openDetails() })}/productpage`);
    const page = await response.text();
    expect(response.status).toBe(200);
    expect(page).toContain('PublisherA');
    expect(page).toContain('Error fetching product reviews!');
    expect(page).toContain('Sorry, product reviews are currently unavailable for this book.');
    expect(page).not.toContain('Error fetching product details!');
  });

  test('says that details have no answer', async () => {
    const page = await textOf(`${await openProductpage()}/productpage`);
    expect(page).toContain('Error fetching product details!');
    expect(page).toContain('Sorry, product details are currently unavailable for this book.');
  });

  test.each([
    ['never answer', silent],
    ['answer 503', answering({}, 503)],
  ])('asks twice for reviews that %s, and once for details', async (_what, answer) => {
    const [details, reviews] = await Promise.all([openStandIn(answer), openStandIn(answer)]);
    const urls = { detailsUrl: details.url, reviewsUrl: reviews.url };
    const page = await textOf(`${await openProductpage({ ...urls, callTimeoutMs: 50 })}/productpage`);
    expect(page).toContain('Error fetching product reviews!');
    expect(reviews.requests).toHaveLength(2);
    expect(details.requests).toHaveLength(1);
  });

  test('takes the second try when the first failed', async () => {
    let tries = 0;
    const reviews = await openStandIn((request, response) => {
      tries++;
      if (tries === 1) response.destroy();
      else answering({ podname: 'second', reviews: [] })(request, response);
    });
    const page = await textOf(`${await openProductpage({ reviewsUrl: reviews.url })}/productpage`);
    expect(page).toContain('Reviews served by: second');
  });

  test('counts an answer that is not reviews as none', async () => {
    const reviews = await openStandIn(answering(['not', 'reviews']));
    const page = await textOf(`${await openProductpage({ reviewsUrl: reviews.url })}/productpage`);
    expect(page).toContain('Error fetching product reviews!');
  });

  test('shows reviews without stars when ratings fail', async () => {
    const reviewsUrl = await openReviews({ SERVICE_VERSION: 'v2' });
    const page = await textOf(`${await openProductpage({ reviewsUrl })}/productpage`);
    expect(page).toContain('Ratings service is currently unavailable');
    expect(page).toContain('Reviews served by: reviews-v2');
    expect(page).not.toContain('★');
  });

  test('escapes whatever the services say', async () => {
    const evil = '"><script>alert(1)</script>';
    const details = await openStandIn(answering({ author: evil }));
    const rating = { stars: 3, color: evil };
    const reviews = await openStandIn(answering({ podname: evil, reviews: [{ reviewer: evil, text: evil, rating }] }));
    const page = await textOf(
      `${await openProductpage({ detailsUrl: details.url, reviewsUrl: reviews.url })}/productpage`,
    );
    expect(page).not.toContain('<script');
    expect(page.split('&quot;&gt;&lt;script&gt;')).toHaveLength(8);
  });
});
