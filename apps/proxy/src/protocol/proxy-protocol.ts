import { addressBits, addressText } from '@flotilla/match';
import { isIPv4, isIPv6 } from 'node:net';
import { limit } from '@flotilla/runtime';
import type { SocketAddress } from '@flotilla/runtime';

/** A PROXY header (the PROXY protocol specification, versions 1 and 2). */
export interface ProxyHeader {
  readonly version: 1 | 2;
  /** Bytes that it takes. */
  readonly size: number;
  /** Null: the proxy speaks for itself, or does not know. */
  readonly addresses: { readonly source: SocketAddress; readonly destination: SocketAddress } | null;
}

/** `none`: the bytes begin with no PROXY header. `malformed`: they begin with one that cannot be. */
export type ProxyHeaderParse = ProxyHeader | 'incomplete' | 'none' | { readonly malformed: 1 | 2 };

const SIGNATURE_2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const PREFIX_1 = Buffer.from('PROXY ', 'latin1');
const HEAD_BYTES_2 = 16;
/** Section 2.1: the longest line, with CRLF. */
const MAX_LINE_BYTES = limit({
  name: 'proxy.proxy-protocol-line',
  what: 'PROXY header, version 1',
  default: 107,
  unit: 'bytes',
  past: 'the connection is closed',
});
/** Longer version 2 headers are refused; a connection must not make us keep 64 KiB before it said anything. */
const MAX_BYTES_2 = HEAD_BYTES_2 + 4096;

/** Looks for a PROXY header at the beginning of a connection. */
export function parseProxyHeader(bytes: Buffer): ProxyHeaderParse {
  if (startsLike(bytes, SIGNATURE_2)) return bytes.length < HEAD_BYTES_2 ? 'incomplete' : parseBinary(bytes);
  if (startsLike(bytes, PREFIX_1)) return bytes.length < PREFIX_1.length ? 'incomplete' : parseLine(bytes);
  return 'none';
}

/** The bytes are a part of the pattern, or begin with all of it. */
function startsLike(bytes: Buffer, pattern: Buffer): boolean {
  const length = Math.min(bytes.length, pattern.length);
  return bytes.subarray(0, length).equals(pattern.subarray(0, length));
}

function parseLine(bytes: Buffer): ProxyHeaderParse {
  const end = bytes.subarray(0, MAX_LINE_BYTES).indexOf('\r\n');
  if (end === -1) return bytes.length < MAX_LINE_BYTES ? 'incomplete' : { malformed: 1 };
  const size = end + 2;
  const line = bytes.toString('latin1', 0, end);
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return { version: 1, size, addresses: null };
  const match = /^PROXY (TCP4|TCP6) (\S+) (\S+) (\d{1,5}) (\d{1,5})$/.exec(line);
  if (match === null) return { malformed: 1 };
  const [, family, sourceHost = '', destinationHost = '', sourcePort = '', destinationPort = ''] = match;
  const isAddress = family === 'TCP4' ? isIPv4 : isIPv6;
  const source = { host: sourceHost, port: Number(sourcePort) };
  const destination = { host: destinationHost, port: Number(destinationPort) };
  const isValid = [source, destination].every(({ host, port }) => isAddress(host) && port <= 65_535);
  return isValid ? { version: 1, size, addresses: { source, destination } } : { malformed: 1 };
}

const LOCAL = 0;
const PROXY = 1;
const STREAM_4 = 0x11;
const STREAM_6 = 0x21;

function parseBinary(bytes: Buffer): ProxyHeaderParse {
  const version = (bytes[12] ?? 0) >> 4;
  const command = (bytes[12] ?? 0) & 15;
  const family = bytes[13] ?? 0;
  const size = HEAD_BYTES_2 + bytes.readUInt16BE(14);
  if (version !== 2 || command > PROXY || size > MAX_BYTES_2) return { malformed: 2 };
  const addressBytes = command === LOCAL ? 0 : family === STREAM_4 ? 4 : family === STREAM_6 ? 16 : null;
  if (addressBytes === null || (addressBytes > 0 && size < HEAD_BYTES_2 + 2 * addressBytes + 4)) {
    return { malformed: 2 };
  }
  if (bytes.length < size) return 'incomplete';
  if (addressBytes === 0) return { version: 2, size, addresses: null };
  const ports = HEAD_BYTES_2 + 2 * addressBytes;
  const hostAt = (start: number): string => addressText(bytes.subarray(start, start + addressBytes));
  return {
    version: 2,
    size,
    addresses: {
      source: { host: hostAt(HEAD_BYTES_2), port: bytes.readUInt16BE(ports) },
      destination: { host: hostAt(HEAD_BYTES_2 + addressBytes), port: bytes.readUInt16BE(ports + 2) },
    },
  };
}

/** The header that tells an upstream who the client is. Both addresses of one family; null: nothing is known. */
export function formatProxyHeader(
  version: 1 | 2,
  addresses: { readonly source: SocketAddress; readonly destination: SocketAddress } | null,
): Buffer {
  return version === 1 ? formatLine(addresses) : formatBinary(addresses);
}

type Addresses = Parameters<typeof formatProxyHeader>[1];

function formatLine(addresses: Addresses): Buffer {
  if (addresses === null) return Buffer.from('PROXY UNKNOWN\r\n');
  const { source, destination } = addresses;
  const family = isIPv6(source.host) ? 'TCP6' : 'TCP4';
  return Buffer.from(`PROXY ${family} ${source.host} ${destination.host} ${source.port} ${destination.port}\r\n`);
}

function formatBinary(addresses: Addresses): Buffer {
  if (addresses === null) return Buffer.concat([SIGNATURE_2, Buffer.from([0x20, 0, 0, 0])]);
  const { source, destination } = addresses;
  const hosts = Buffer.concat([bytesOf(source.host), bytesOf(destination.host)]);
  const rest = Buffer.alloc(4);
  rest.writeUInt16BE(source.port, 0);
  rest.writeUInt16BE(destination.port, 2);
  const family = hosts.length === 8 ? STREAM_4 : STREAM_6;
  return Buffer.concat([SIGNATURE_2, Buffer.from([0x21, family, 0, hosts.length + 4]), hosts, rest]);
}

function bytesOf(host: string): Buffer {
  return Buffer.from(addressBits(host) ?? []);
}
