/**
 * Whether an `accept-encoding` header takes a coding, and prefers it to none (RFC 9110, section 12.5.3). Without the
 * header nothing is coded: Envoy waits to be asked.
 */
export function acceptsEncoding(header: string | undefined, encoding: string): boolean {
  if (header === undefined) return false;
  let any = 0;
  let identity = 0;
  let named: number | null = null;
  for (const item of header.split(',')) {
    const [coding = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    const quality = qualityOf(parameters);
    if (coding === encoding) named = quality;
    else if (coding === '*') any = quality;
    else if (coding === 'identity') identity = quality;
  }
  const wanted = named ?? any;
  return wanted > 0 && wanted >= identity;
}

function qualityOf(parameters: readonly string[]): number {
  const text = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
  const quality = text === undefined ? 1 : Number(text);
  return Number.isFinite(quality) ? quality : 0;
}
