import { isIPv4, isIPv6, type Socket, SocketAddress } from 'node:net';
import { endianness } from 'node:os';
import type { Logger } from '@flotilla/observe';
import { FlotillaError } from '@flotilla/runtime';
import type { SocketDiagnosis } from './socket-diagnosis.ts';

/** The two ends of an accepted connection, as `net.Socket` shows them. */
export type ConnectionEnds = Pick<Socket, 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort'>;

// linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h, net/tcp_states.h
const SOCK_DIAG_BY_FAMILY = 20;
const NLM_F_REQUEST = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_TCP = 6;
const TCP_LISTEN = 10;
const HEADER_BYTES = 16;
const REQUEST_BYTES = HEADER_BYTES + 56;
const REPLY_BYTES = HEADER_BYTES + 72;

const isLittleEndian = endianness() === 'LE';

/**
 * The question which socket of this machine has the other end of a connection (`inet_diag_req_v2` for exactly one
 * socket, sock_diag(7)); `null` for a connection that has no addresses of one family.
 */
export function encodeQuestion(ends: ConnectionEnds): Buffer | null {
  const [client, server] = [plain(ends.remoteAddress ?? ''), plain(ends.localAddress ?? '')];
  const family = isIPv4(client) && isIPv4(server) ? AF_INET : isIPv6(client) && isIPv6(server) ? AF_INET6 : null;
  if (family === null) return null;
  const bytes = Buffer.alloc(REQUEST_BYTES);
  const put16 = (value: number, at: number) =>
    isLittleEndian ? bytes.writeUInt16LE(value, at) : bytes.writeUInt16BE(value, at);
  const put32 = (value: number, at: number) =>
    isLittleEndian ? bytes.writeUInt32LE(value, at) : bytes.writeUInt32BE(value, at);
  put32(REQUEST_BYTES, 0);
  put16(SOCK_DIAG_BY_FAMILY, 4);
  put16(NLM_F_REQUEST, 6);
  bytes.writeUInt8(family, HEADER_BYTES);
  bytes.writeUInt8(IPPROTO_TCP, HEADER_BYTES + 1);
  put32(0xffffffff, HEADER_BYTES + 4);
  // inet_diag_sockid: the client's end is "source" to the socket that is asked for.
  bytes.writeUInt16BE(ends.remotePort ?? 0, HEADER_BYTES + 8);
  bytes.writeUInt16BE(ends.localPort ?? 0, HEADER_BYTES + 10);
  addressBytes(client).copy(bytes, HEADER_BYTES + 12);
  addressBytes(server).copy(bytes, HEADER_BYTES + 28);
  // No cookie.
  put32(0xffffffff, HEADER_BYTES + 48);
  put32(0xffffffff, HEADER_BYTES + 52);
  return bytes;
}

/**
 * The user of the socket in an answer (`inet_diag_msg`). `null` when there is none: the connection comes from elsewhere,
 * or its process has closed the socket; then the kernel says 0, which is nobody's proof, and names no inode.
 */
export function decodeAnswer(bytes: Buffer): number | null {
  const get32 = (at: number) => (isLittleEndian ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const type = bytes.length < REPLY_BYTES ? 0 : isLittleEndian ? bytes.readUInt16LE(4) : bytes.readUInt16BE(4);
  // A listening socket answers for connections that are not there.
  if (type !== SOCK_DIAG_BY_FAMILY || bytes.readUInt8(HEADER_BYTES + 1) === TCP_LISTEN) return null;
  return get32(HEADER_BYTES + 68) === 0 ? null : get32(HEADER_BYTES + 64);
}

/** Whether an accepted connection may go on. */
export type AdmitConnection = (connection: ConnectionEnds) => boolean;

/**
 * Admits connections of processes of these users of this machine (and network namespace), and no others.
 * `onRefused` counts.
 */
export function admitUsers(
  users: readonly number[],
  diagnosis: SocketDiagnosis,
  { logger, onRefused }: { readonly logger: Logger; readonly onRefused: () => void },
): AdmitConnection {
  const admitted = new Set(users);
  const told = new Set<number | null>();
  const userOf = (connection: ConnectionEnds): number | null => {
    const question = encodeQuestion(connection);
    try {
      return question === null ? null : decodeAnswer(diagnosis.ask(question));
    } catch (error) {
      logger.error('it cannot be told whose a local connection is', { error: FlotillaError.from(error) });
      return null;
    }
  };
  return (connection) => {
    const user = userOf(connection);
    if (user !== null && admitted.has(user)) return true;
    onRefused();
    if (told.has(user)) return false;
    told.add(user);
    logger.warn("a local user may not use the workload's identity", {
      user: user ?? 'not told',
      port: connection.localPort,
      hint: 'Name it with --local-user, if it should.',
    });
    return false;
  };
}

/** In network order; IPv4 in the first of four words. */
function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail] = new SocketAddress({
    address: address.split('%', 1)[0] ?? '',
    family: 'ipv6',
  }).address.split('::');
  const groups = (text: string | undefined): string[] => (text === undefined || text === '' ? [] : text.split(':'));
  const [before, after] = [groups(head), groups(tail)];
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return Buffer.from([...before, ...zeros, ...after].map((group) => group.padStart(4, '0')).join(''), 'hex');
}

/** An IPv4 client of an IPv6 socket is an IPv4 client. */
function plain(address: string): string {
  return address.startsWith('::ffff:') && isIPv4(address.slice(7)) ? address.slice(7) : address;
}
