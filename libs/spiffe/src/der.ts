/**
 * The few DER types that a certificate signing request needs (X.690), as functions from content to bytes. Encoding
 * only: whatever comes from a peer is decoded by OpenSSL or by a full ASN.1 library.
 */
export function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const length = contents.reduce((sum, content) => sum + content.length, 0);
  return Buffer.concat([Buffer.from([tag, ...lengthOctets(length)]), ...contents]);
}

export const sequence = (...contents: readonly Uint8Array[]): Buffer => der(0x30, ...contents);
export const set = (...contents: readonly Uint8Array[]): Buffer => der(0x31, ...contents);
export const octetString = (content: Uint8Array): Buffer => der(0x04, content);
/** A bit string of whole octets. */
export const bitString = (content: Uint8Array): Buffer => der(0x03, Buffer.of(0), content);
export const booleanTrue = (): Buffer => der(0x01, Buffer.of(0xff));
/** An integer from 0 to 127. */
export const smallInteger = (value: number): Buffer => der(0x02, Buffer.of(value));

/** An object identifier from its dotted form. */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...arcs] = dotted.split('.').map(Number);
  const octets: number[] = [];
  for (const arc of [first * 40 + second, ...arcs]) {
    const base128 = [arc & 0x7f];
    for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) {
      base128.unshift((rest & 0x7f) | 0x80);
    }
    octets.push(...base128);
  }
  return der(0x06, Buffer.from(octets));
}

function lengthOctets(length: number): number[] {
  if (length < 0x80) return [length];
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest & 0xff);
  return [0x80 | octets.length, ...octets];
}
