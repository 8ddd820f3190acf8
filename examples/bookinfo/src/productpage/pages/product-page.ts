import type { Outcome } from '../backends.ts';
import type { Product } from '../catalogue.ts';
import { detailsSection } from './details-section.ts';
import { html, type Html } from './html.ts';
import { layout } from './layout.ts';
import { reviewsSection } from './reviews-section.ts';

export function productPage(product: Product, user: string | null, details: Outcome, reviews: Outcome): Html {
  return layout(
    user,
    html`<section class="card book" aria-labelledby="title">
        <img class="cover" src="/static/cover.svg" alt="" width="200" height="300" />
        <div>
          <p class="kicker">Comedy &middot; one day in Ephesus</p>
          <h1 id="title">${product.title}</h1>
          <p class="author">by ${product.author}</p>
          <p class="lead">${product.description}</p>
        </div>
      </section>
      <div class="columns">${detailsSection(details)} ${reviewsSection(reviews)}</div>`,
  );
}
