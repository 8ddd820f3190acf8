import { type Socket, SocketAddress } from 'node:net';
import { FlotillaError } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import type { Destination } from '../ports/accepted-connection.ts';
import type { SocketOption } from './socket-option.ts';

/** Tells where an accepted connection was going before the firewall turned it here. */
export interface OriginalDestinations {
  /** The address that the socket was accepted on, for one that was not redirected; null when the socket is gone. */
  of(socket: Socket): Destination | null;
}

// linux/in.h, linux/netfilter_ipv4.h, linux/netfilter_ipv6/ip6_tables.h
const SOL_IP = 0;
const SOL_IPV6 = 41;
const SO_ORIGINAL_DST = 80;
const SOCKADDR_IN_BYTES = 16;
const SOCKADDR_IN6_BYTES = 28;

/** Without the call of the system: right for connections that were not redirected. */
export const localDestinations: OriginalDestinations = { of: localAddress };

/**
 * Loads the call that Node lacks, once for a process: listeners that do not ask do not pay for it. Where there is no
 * such call the answer is the local address, which the log says once.
 */
export async function openOriginalDestinations(logger: Logger): Promise<OriginalDestinations> {
  try {
    if (process.platform !== 'linux') throw new FlotillaError('system', `${process.platform} has no SO_ORIGINAL_DST`);
    const { openSocketOption } = await import('./socket-option.ts');
    return new KernelDestinations(await openSocketOption());
  } catch (error) {
    logger.warn('redirected connections cannot be told here: they count as connections to the proxy itself', {
      reason: FlotillaError.from(error).message,
    });
    return localDestinations;
  }
}

/**
 * Asks the kernel's connection tracking. 5 us a connection on one shared 2.1 GHz core (10,000 calls on one socket:
 * 3.4 us for getsockopt through koffi, the rest for reading the address), against 90 us for accepting one.
 */
class KernelDestinations implements OriginalDestinations {
  readonly #option: SocketOption;
  readonly #bytes = Buffer.alloc(SOCKADDR_IN6_BYTES);

  constructor(option: SocketOption) {
    this.#option = option;
  }

  of(socket: Socket): Destination | null {
    const local = localAddress(socket);
    const descriptor = descriptorOf(socket);
    if (local === null || descriptor === null) return local;
    // A mapped address is one of IPv4's table, whatever the socket is.
    const isIpv6 = local.host.includes(':');
    const found = isIpv6
      ? this.#option(descriptor, SOL_IPV6, SO_ORIGINAL_DST, this.#bytes, SOCKADDR_IN6_BYTES)
      : this.#option(descriptor, SOL_IP, SO_ORIGINAL_DST, this.#bytes, SOCKADDR_IN_BYTES);
    // No entry (ENOENT), or no connection tracking at all (ENOPROTOOPT): nobody redirected it.
    if (!found) return local;
    return isIpv6 ? readSockaddrIn6(this.#bytes) : readSockaddrIn(this.#bytes);
  }
}

function localAddress({ localAddress: host, localPort: port }: Socket): Destination | null {
  if (host === undefined || port === undefined) return null;
  return { host: withoutMapping(host), port };
}

/** The descriptor is libuv's: `net.Socket` shows it nowhere but on its handle. */
function descriptorOf(socket: Socket): number | null {
  const { _handle: handle } = socket as { _handle?: { readonly fd?: number } | null };
  return typeof handle?.fd === 'number' && handle.fd >= 0 ? handle.fd : null;
}

/** `struct sockaddr_in`: family, port, address. */
export function readSockaddrIn(bytes: Buffer): Destination {
  return { host: bytes.subarray(4, 8).join('.'), port: bytes.readUInt16BE(2) };
}

/** `struct sockaddr_in6`: family, port, flow, address. The address is written as the kernel's own tools and Node do. */
export function readSockaddrIn6(bytes: Buffer): Destination {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(8 + index * 2).toString(16));
  const { address } = new SocketAddress({ address: groups.join(':'), family: 'ipv6' });
  return { host: withoutMapping(address), port: bytes.readUInt16BE(2) };
}

/** An IPv4 client of an IPv6 socket is an IPv4 client. */
function withoutMapping(host: string): string {
  return host.startsWith('::ffff:') ? host.slice(7) : host;
}
