import { randomBytes } from 'node:crypto';

export const ECDSA_P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** A random positive serial number of 128 bits, hexadecimal (RFC 5280, section 4.1.2.2 allows 20 octets). */
export function randomSerial(): string {
  const bytes = randomBytes(16);
  // The top bit is the sign; the next one keeps the length the same for all.
  bytes.writeUInt8((bytes.readUInt8(0) & 0x3f) | 0x40, 0);
  return bytes.toString('hex');
}
