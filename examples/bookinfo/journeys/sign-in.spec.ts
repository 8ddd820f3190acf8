import { beforeEach, describe, expect, test, vi } from 'vitest';
import { answering, openProductpage, openReviews, openStandIn, textOf } from './shop.ts';

beforeEach(() => {
  vi.spyOn(console, 'error').mockImplementation(() => {});
});

function signIn(productpage: string, username: string): Promise<Response> {
  const body = new URLSearchParams({ username, password: 'any' });
  return fetch(`${productpage}/login`, { method: 'POST', body, redirect: 'manual' });
}

async function sessionOf(productpage: string, username: string): Promise<string> {
  const cookie = (await signIn(productpage, username)).headers.get('set-cookie') ?? '';
  return cookie.slice(0, cookie.indexOf(';'));
}

describe('signing in', () => {
  test('sets a cookie, leads to the product page and is shown there', async () => {
    const productpage = await openProductpage();
    const response = await signIn(productpage, 'jason');
    expect(response.status).toBe(303);
    expect(response.headers.get('location')).toBe('/productpage');
    expect(response.headers.get('set-cookie')).toMatch(/^session=\S+; Path=\/; HttpOnly; SameSite=Lax$/);

    const cookie = await sessionOf(productpage, 'jason');
    const page = await textOf(`${productpage}/productpage`, { cookie });
    expect(page).toContain('Signed in as <strong>jason</strong>');
    expect(page).toContain('href="/logout"');
    expect(await textOf(`${productpage}/productpage`)).toContain('action="/login"');
  });

  test('escapes the name', async () => {
    const productpage = await openProductpage();
    const cookie = await sessionOf(productpage, '<b>jason</b>');
    const page = await textOf(`${productpage}/productpage`, { cookie });
    expect(page).toContain('&lt;b&gt;jason&lt;/b&gt;');
    expect(page).not.toContain('<b>');
  });

  test.each(['', '   ', 'two\nlines', 'é', 'x'.repeat(65)])('refuses the name %j', async (name) => {
    expect((await signIn(await openProductpage(), name)).status).toBe(400);
  });

  test('refuses a form that is too large', async () => {
    expect((await signIn(await openProductpage(), 'x'.repeat(10_000))).status).toBe(413);
  });

  test('ends with signing out', async () => {
    const response = await fetch(`${await openProductpage()}/logout`, { redirect: 'manual' });
    expect(response.status).toBe(303);
    expect(response.headers.get('set-cookie')).toMatch(/^session=; .*Max-Age=0$/);
  });

  test.each(['session=', 'session=%%%', `session=${Buffer.from('a\r\nb: c').toString('base64url')}`])(
    'ignores the cookie %j',
    async (cookie) => {
      expect(await textOf(`${await openProductpage()}/productpage`, { cookie })).toContain('action="/login"');
    },
  );
});

describe('calls made for a page', () => {
  test('name the signed-in user and carry the trace, all the way to ratings', async () => {
    const details = await openStandIn(answering({}));
    const ratings = await openStandIn(answering({ ratings: {} }));
    const reviewsUrl = await openReviews({ SERVICE_VERSION: 'v3' }, { ratingsUrl: ratings.url });
    const productpage = await openProductpage({ detailsUrl: details.url, reviewsUrl });
    const trace = {
      'x-request-id': 'r-1',
      'x-b3-traceid': 'a',
      b3: 'a-b-1',
      traceparent: '00-1-2-01',
      'x-datadog-trace-id': '7',
      'user-agent': 'test/1',
      authorization: 'Bearer x',
    };
    const cookie = await sessionOf(productpage, 'jason');
    await textOf(`${productpage}/productpage`, { ...trace, cookie, 'x-private': 'stays' });

    for (const service of [details, ratings]) {
      expect(service.requests).toHaveLength(1);
      expect(service.requests[0]?.headers).toMatchObject({ ...trace, cookie, 'end-user': 'jason' });
      expect(service.requests[0]?.headers).not.toHaveProperty('x-private');
    }
  });

  test('name nobody without a session, whatever the request says', async () => {
    const details = await openStandIn(answering({}));
    await textOf(`${await openProductpage({ detailsUrl: details.url })}/productpage`, { 'end-user': 'jason' });
    expect(details.requests[0]?.headers).not.toHaveProperty('end-user');
  });
});
