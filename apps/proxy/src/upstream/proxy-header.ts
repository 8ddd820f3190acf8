import { isIP } from 'node:net';
import { formatProxyHeader } from '../protocol/proxy-protocol.ts';
import { addressOf, portOf, type StreamInfo } from '@flotilla/stream';
import type { Transport } from './transport.ts';

/** What connections of this transport begin with for a stream's client; `info` null: the proxy speaks for itself. */
export function proxyHeaderFor({ proxyVersion }: Transport, info: StreamInfo | null): Buffer | null {
  if (proxyVersion === 0) return null;
  if (info === null) return formatProxyHeader(proxyVersion, null);
  const { remoteAddress, localAddress } = info.connection;
  const source = { host: addressOf(remoteAddress), port: portOf(remoteAddress) ?? 0 };
  const destination = { host: addressOf(localAddress), port: portOf(localAddress) ?? 0 };
  // A header holds two addresses of one family.
  const isPair = isIP(source.host) !== 0 && isIP(source.host) === isIP(destination.host);
  return formatProxyHeader(proxyVersion, isPair ? { source, destination } : null);
}
