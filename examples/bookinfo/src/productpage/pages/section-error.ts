import type { Outcome } from '../backends.ts';
import { html, type Html } from './html.ts';

/** What stands in a section whose service gave nothing that can be shown. */
export function sectionError(what: 'details' | 'reviews', outcome: Outcome): Html {
  const message = outcome.ok ? `Sorry, product ${what} could not be read.` : outcome.error;
  return html`<div class="failure" role="status">
    <h3>Error fetching product ${what}!</h3>
    <p>${message}</p>
  </div>`;
}
