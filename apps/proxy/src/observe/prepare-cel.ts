import { hasCel, loadCel } from '@flotilla/format';

/** By which configuration asks for expressions: the filter's type, and the operators `%CEL(…)%` and `%TYPED_CEL(…)%`. */
const MARKS = ['envoy.extensions.access_loggers.filters.cel.', 'CEL('];

/** Makes expressions ready when one of these texts, encoded resources among them, asks for any. */
export async function prepareCel(texts: Iterable<Uint8Array>): Promise<void> {
  if (hasCel()) return;
  for (const text of texts) {
    const bytes = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
    if (!MARKS.some((mark) => bytes.includes(mark))) continue;
    await loadCel();
    return;
  }
}
