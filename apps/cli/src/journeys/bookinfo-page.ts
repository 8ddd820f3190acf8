/** What a request for Bookinfo's page came back with, as far as the tests look. */
export interface Page {
  readonly status: number;
  /** `v1`, `v2` or `v3`; null when the reviews are missing. */
  readonly reviews: string | null;
  readonly stars: 'none' | 'black' | 'red';
  readonly hasReviewsError: boolean;
  readonly hasRatingsError: boolean;
  readonly seconds: number;
  readonly html: string;
}

/** Fetches `/productpage`, as a signed-in user when one is named. */
export async function fetchPage(ingress: string, user?: string): Promise<Page> {
  const started = performance.now();
  const response = await fetch(`${ingress}/productpage`, {
    headers: user === undefined ? {} : { cookie: await signIn(ingress, user) },
  });
  const html = await response.text();
  return {
    status: response.status,
    reviews: /Reviews served by:\s*reviews-(v\d)/.exec(html)?.[1] ?? null,
    stars: html.includes('stars-red') ? 'red' : html.includes('stars-black') ? 'black' : 'none',
    hasReviewsError: html.includes('Error fetching product reviews!'),
    hasRatingsError: html.includes('Ratings service is currently unavailable'),
    seconds: (performance.now() - started) / 1000,
    html,
  };
}

async function signIn(ingress: string, user: string): Promise<string> {
  const response = await fetch(`${ingress}/login`, {
    method: 'POST',
    body: new URLSearchParams({ username: user, password: 'any' }),
    redirect: 'manual',
  });
  const cookie = response.headers.getSetCookie()[0];
  if (cookie === undefined) throw new Error(`signing in as ${user} gave no cookie (${response.status})`);
  return cookie.split(';')[0] ?? '';
}
