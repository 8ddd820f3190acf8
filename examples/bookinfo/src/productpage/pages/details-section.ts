import type { Outcome } from '../backends.ts';
import { decodeDetails, type DetailRows } from '../decode.ts';
import { html, type Html } from './html.ts';
import { sectionError } from './section-error.ts';

export function detailsSection(outcome: Outcome): Html {
  const rows = outcome.ok ? decodeDetails(outcome.value) : null;
  return html`<section class="card details" aria-labelledby="details">
    <h2 id="details">Book Details</h2>
    ${rows === null ? sectionError('details', outcome) : detailsTable(rows)}
  </section>`;
}

function detailsTable(rows: DetailRows): Html {
  return html`<table>
    <tbody>
      ${rows.map(
        ([label, value]) =>
          html`<tr>
            <th scope="row">${label}</th>
            <td>${value}</td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}
