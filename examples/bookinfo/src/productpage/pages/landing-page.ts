import { html, type Html } from './html.ts';
import { layout } from './layout.ts';

const SERVICES = [
  ['productpage', 'makes this page; asks details and reviews'],
  ['details', 'knows what kind of book it is'],
  ['reviews', 'what readers say; v1 shows no stars, v2 black ones, v3 red ones'],
  ['ratings', 'how many stars each reader gave; reviews v2 and v3 ask it'],
] as const;

export function landingPage(user: string | null): Html {
  return layout(
    user,
    html`<section class="card landing">
      <h1>Simple Bookstore App</h1>
      <p class="lead">A shop with a single book, put together from four services that talk plain HTTP.</p>
      <dl class="services">
        ${SERVICES.map(
          ([name, does]) =>
            html`<div>
              <dt>${name}</dt>
              <dd>${does}</dd>
            </div>`,
        )}
      </dl>
      <p><a class="button" href="/productpage">See the book</a></p>
    </section>`,
  );
}
