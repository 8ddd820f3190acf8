import type { Rating } from '../decode.ts';
import { html, type Html } from './html.ts';

/** Colours that the style sheet has a class for; others are named in words and drawn in the text's colour. */
const STYLED_COLORS: ReadonlySet<string> = new Set(['black', 'red', 'blue', 'green', 'orange']);

/** `★★★★☆` in the rating's colour, with the colour's name beside it for those who cannot tell it by sight. */
export function rating(value: Rating): Html {
  if ('error' in value) return html`<span class="no-rating">${value.error}</span>`;
  const { stars, color } = value;
  const glyphs = '★'.repeat(stars) + '☆'.repeat(5 - stars);
  const className = STYLED_COLORS.has(color) ? `stars stars-${color}` : 'stars';
  const label = `${stars} of 5 stars, ${color}`;
  // Prettier would put line breaks inside the tags.
  // prettier-ignore
  const drawn = html`<span class="${className}" data-color="${color}" role="img" aria-label="${label}">${glyphs}</span>`;
  return html`<span class="rating">${drawn} <span class="star-color" aria-hidden="true">${color}</span></span>`;
}
