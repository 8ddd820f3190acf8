import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { readBody } from '../http/body.ts';
import { forwardHeaders } from '../http/forward-headers.ts';
import { HttpError } from '../http/http-error.ts';
import { replyJson, replyRedirect, replyWith } from '../http/reply.ts';
import { compileRoutes, parseProductId, type Exchange, type Route } from '../http/routes.ts';
import { openService, type ListenAddress, type RunningService } from '../http/service.ts';
import { openBackends, type Fetch } from './backends.ts';
import { BOOK } from './catalogue.ts';
import { html, type Html } from './pages/html.ts';
import { landingPage } from './pages/landing-page.ts';
import { productPage } from './pages/product-page.ts';
import { closeSessionCookie, isUserName, openSessionCookie, sessionUser } from './session.ts';
import type { ProductpageSettings } from './settings.ts';
import { compileStaticFiles } from './static-files.ts';

const MAX_FORM_BYTES = 4 * 1024;

export function startProductpage(settings: ProductpageSettings, address: ListenAddress): Promise<RunningService> {
  const backends = openBackends(settings);

  const showLanding = ({ request, response }: Exchange): void => {
    replyPage(response, landingPage(sessionUser(request)));
  };
  const showProduct = async ({ request, response }: Exchange): Promise<void> => {
    const headers = callHeaders(request);
    const [details, reviews] = await Promise.all([
      backends.fetchDetails(BOOK.id, headers),
      backends.fetchReviews(BOOK.id, headers),
    ]);
    replyPage(response, productPage(BOOK, sessionUser(request), details, reviews));
  };

  const listener = compileRoutes([
    { method: 'GET', path: '/', handle: showLanding },
    { method: 'GET', path: '/index.html', handle: showLanding },
    { method: 'GET', path: '/productpage', handle: showProduct },
    { method: 'POST', path: '/login', handle: signIn },
    { method: 'GET', path: '/logout', handle: signOut },
    {
      method: 'GET',
      path: '/health',
      handle: ({ response }) => replyJson(response, 200, { status: 'productpage is healthy' }),
    },
    { method: 'GET', path: '/api/v1/products', handle: ({ response }) => replyJson(response, 200, products()) },
    apiRoute('/api/v1/products/*', backends.fetchDetails),
    apiRoute('/api/v1/products/*/reviews', backends.fetchReviews),
    apiRoute('/api/v1/products/*/ratings', backends.fetchRatings),
    { method: 'GET', path: '/static/*', handle: compileStaticFiles(settings.staticFolder) },
  ]);
  return openService({ name: 'productpage', listener, release: backends.close }, address);
}

function apiRoute(path: string, fetch: Fetch): Route {
  return {
    method: 'GET',
    path,
    handle: async ({ request, response, segment }) => {
      const outcome = await fetch(parseProductId(segment), callHeaders(request));
      if (outcome.ok) replyJson(response, 200, outcome.value);
      else replyJson(response, outcome.status, { error: outcome.error });
    },
  };
}

/** Who asks is said by the session alone: an `end-user` header from outside goes no further. */
function callHeaders(request: IncomingMessage): OutgoingHttpHeaders {
  const user = sessionUser(request);
  const headers = forwardHeaders(request.headers);
  return user === null ? headers : { ...headers, 'end-user': user };
}

function products(): unknown {
  return [{ id: BOOK.id, title: BOOK.title, descriptionHtml: html`<p>${BOOK.description}</p>`.markup }];
}

async function signIn({ request, response }: Exchange): Promise<void> {
  const form = new URLSearchParams(await readBody(request, MAX_FORM_BYTES));
  const user = (form.get('username') ?? '').trim();
  if (!isUserName(user)) throw new HttpError(400, 'username must be 1 to 64 printable ASCII characters');
  replyRedirect(response, '/productpage', { 'set-cookie': openSessionCookie(user) });
}

function signOut({ response }: Exchange): void {
  replyRedirect(response, '/productpage', { 'set-cookie': closeSessionCookie() });
}

function replyPage(response: ServerResponse, page: Html): void {
  replyWith(response, 200, 'text/html; charset=utf-8', page.markup, {
    // Every reload asks the services anew: that is what there is to see.
    'cache-control': 'no-store',
    'content-security-policy':
      "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'",
    'x-content-type-options': 'nosniff',
  });
}
