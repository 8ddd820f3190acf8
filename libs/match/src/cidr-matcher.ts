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
  if (IPV4.test(address)) return Uint8Array.from(address.split('.'), Number);
  const zone = address.indexOf('%');
  const text = zone === -1 ? address : address.slice(0, zone);
  const bits = ipv6Bits(text);
  if (bits === null) return null;
  const isMapped = bits.subarray(0, 10).every((byte) => byte === 0) && bits[10] === 0xff && bits[11] === 0xff;
  return isMapped ? bits.subarray(12) : bits;
}

/** The text of 4 or 16 bytes, IPv6 in the form of RFC 5952. */
export function addressText(bits: Uint8Array): string {
  if (bits.length === 4) return bits.join('.');
  const groups = Array.from({ length: 8 }, (_, at) =>
    (((bits[2 * at] ?? 0) << 8) | (bits[2 * at + 1] ?? 0)).toString(16),
  );
  // The URL parser writes that form.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

const IPV4 = /^(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/;
const IPV6_GROUP = /^[0-9a-f]{1,4}$/i;

/** Null for what is no IPv6 address (RFC 4291, section 2.2). */
function ipv6Bits(text: string): Uint8Array | null {
  const lastColon = text.lastIndexOf(':');
  const dotted = text.slice(lastColon + 1);
  const v4 = dotted.includes('.') ? dotted : null;
  if (v4 !== null && !IPV4.test(v4)) return null;
  const [a = 0, b = 0, c = 0, d = 0] = v4 === null ? [] : v4.split('.').map(Number);
  const hexText =
    v4 === null ? text : `${text.slice(0, lastColon + 1)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  const [head = '', tail, ...more] = hexText.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = 8 - front.length - back.length;
  if (more.length > 0 || (tail === undefined ? missing !== 0 : missing < 1)) return null;
  const groups = [...front, ...Array<string>(missing).fill('0'), ...back];
  if (!groups.every((group) => IPV6_GROUP.test(group))) return null;
  const bits = new Uint8Array(16);
  groups.forEach((group, index) => {
    const value = parseInt(group, 16);
    bits[index * 2] = value >> 8;
    bits[index * 2 + 1] = value & 0xff;
  });
  return bits;
}
