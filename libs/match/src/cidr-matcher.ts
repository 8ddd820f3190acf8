import { isIPv4, isIPv6 } from 'node:net';
import { FlotillaError } from '@flotilla/runtime';

/** An address range; `::ffff:a.b.c.d` counts as IPv4. */
export interface CidrMatch {
  readonly address: string;
  readonly prefixLength: number;
}

/** Decides from an IP address without port; false for a text that is none. */
export type AddressPredicate = (address: string) => boolean;

/** Reads `10.0.0.0/8`, `::1/128` or a bare address (its full length). Throws `invalid`. */
export function parseCidr(text: string): CidrMatch {
  const slash = text.lastIndexOf('/');
  const address = slash === -1 ? text : text.slice(0, slash);
  const bits = addressBits(address);
  const prefixLength = slash === -1 ? (bits?.length ?? 0) * 8 : Number(text.slice(slash + 1));
  if (bits === null || (slash !== -1 && !/^\d{1,3}$/.test(text.slice(slash + 1))) || prefixLength > bits.length * 8) {
    throw new FlotillaError('invalid', `"${text}" is not an address range`, {
      hint: 'Write an address with a prefix length, such as 10.0.0.0/8 or 2001:db8::/32.',
    });
  }
  return { address, prefixLength };
}

/** Compiles one range. Throws `invalid` when it is malformed. */
export function compileCidrMatcher(spec: CidrMatch): AddressPredicate {
  const network = addressBits(spec.address);
  const { prefixLength } = spec;
  if (network === null || prefixLength < 0 || prefixLength > network.length * 8) {
    throw new FlotillaError('invalid', `"${spec.address}/${prefixLength}" is not an address range`);
  }
  const whole = prefixLength >> 3;
  const mask = (0xff00 >> (prefixLength & 7)) & 0xff;
  const last = (network[whole] ?? 0) & mask;
  return (address) => {
    const bits = addressBits(address);
    if (bits === null || bits.length !== network.length) return false;
    for (let index = 0; index < whole; index++) if (bits[index] !== network[index]) return false;
    return mask === 0 || ((bits[whole] ?? 0) & mask) === last;
  };
}

/** Compiles several ranges into "in any of them". */
export function compileCidrListMatcher(specs: readonly CidrMatch[]): AddressPredicate {
  const matchers = specs.map(compileCidrMatcher);
  return (address) => {
    for (const matches of matchers) if (matches(address)) return true;
    return false;
  };
}

/** Four bytes for IPv4 (also mapped into IPv6), sixteen for IPv6, null for anything else. */
export function addressBits(address: string): Uint8Array | null {
  if (isIPv4(address)) return Uint8Array.from(address.split('.'), Number);
  const zone = address.indexOf('%');
  const text = zone === -1 ? address : address.slice(0, zone);
  if (!isIPv6(text)) return null;
  const bits = ipv6Bits(text);
  const isMapped = bits.subarray(0, 10).every((byte) => byte === 0) && bits[10] === 0xff && bits[11] === 0xff;
  return isMapped ? bits.subarray(12) : bits;
}

/** The text of 4 or 16 bytes, IPv6 in the form of RFC 5952. */
export function addressText(bits: Uint8Array): string {
  if (bits.length === 4) return bits.join('.');
  const groups = Buffer.from(bits).toString('hex').match(/.{4}/g) ?? [];
  // The URL parser writes that form.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

function ipv6Bits(text: string): Uint8Array {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  const hexText =
    dotted === null
      ? text
      : `${dotted[1]}${((Number(dotted[2]) << 8) | Number(dotted[3])).toString(16)}:${((Number(dotted[4]) << 8) | Number(dotted[5])).toString(16)}`;
  const [head = '', tail] = hexText.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...front, ...Array<string>(8 - front.length - back.length).fill('0'), ...back];
  const bits = new Uint8Array(16);
  groups.forEach((group, index) => {
    const value = parseInt(group, 16);
    bits[index * 2] = value >> 8;
    bits[index * 2 + 1] = value & 0xff;
  });
  return bits;
}
