import { networkInterfaces } from 'node:os';

let ownAddress: string | null = null;

/** This host's first address that others could reach (Envoy: `local_info.address`), loopback when there is none. */
export function localAddress(): string {
  ownAddress ??=
    Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1';
  return ownAddress;
}
