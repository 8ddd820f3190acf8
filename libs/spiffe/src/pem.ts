import { FlotillaError } from '@flotilla/runtime';

/** One block of a PEM text (RFC 7468). */
export interface PemBlock {
  readonly label: string;
  /** The block as it stood, from BEGIN to END, ending in a line break. */
  readonly pem: string;
  readonly der: Buffer;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n([A-Za-z0-9+/=\s]+?)-----END \1-----/g;

/** All blocks in their order; text between them is passed over, as RFC 7468 allows. */
export function splitPem(text: string): readonly PemBlock[] {
  return [...text.matchAll(BLOCK)].map((match) => ({
    label: match[1] ?? '',
    pem: `${match[0].replaceAll('\r\n', '\n')}\n`,
    der: Buffer.from(match[2] ?? '', 'base64'),
  }));
}

/** The certificates of a PEM text, one PEM each. Throws `invalid` when there is none, or a block of another kind. */
export function splitCertificates(text: string): readonly string[] {
  const blocks = splitPem(text);
  const other = blocks.find((block) => block.label !== 'CERTIFICATE');
  if (other !== undefined) throw new FlotillaError('invalid', `expected certificates, found a ${other.label} in PEM`);
  if (blocks.length === 0) throw new FlotillaError('invalid', 'expected certificates, found no PEM block');
  return blocks.map((block) => block.pem);
}

/** Writes one PEM block. */
export function encodePem(label: string, content: Uint8Array): string {
  const lines =
    Buffer.from(content)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
