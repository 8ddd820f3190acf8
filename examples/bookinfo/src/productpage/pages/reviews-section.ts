import type { Outcome } from '../backends.ts';
import { decodeReviews, type Review, type Reviews } from '../decode.ts';
import { html, type Html } from './html.ts';
import { sectionError } from './section-error.ts';
import { rating } from './stars.ts';

export function reviewsSection(outcome: Outcome): Html {
  const reviews = outcome.ok ? decodeReviews(outcome.value) : null;
  return html`<section class="card reviews" aria-labelledby="reviews">
    <h2 id="reviews">Book Reviews</h2>
    ${reviews === null ? sectionError('reviews', outcome) : reviewList(reviews)}
  </section>`;
}

function reviewList({ reviews, podName, clusterName }: Reviews): Html {
  // "null" is how the reviews service says that it knows of no cluster.
  const cluster = clusterName === '' || clusterName === 'null' ? null : ` in cluster ${clusterName}`;
  return html`${reviews.map(reviewFigure)}
    <p class="served-by">Reviews served by: ${podName}${cluster}</p>`;
}

function reviewFigure(review: Review): Html {
  return html`<figure class="review">
    <blockquote>${review.text}</blockquote>
    <figcaption><span class="reviewer">${review.reviewer}</span>${review.rating && rating(review.rating)}</figcaption>
  </figure>`;
}
