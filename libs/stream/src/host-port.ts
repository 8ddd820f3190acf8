/** The address of `address:port`, an IPv6 one without its brackets; a text without a port stays whole. */
export function addressOf(hostPort: string): string {
  const colon = hostPort.lastIndexOf(':');
  const host = colon === -1 ? hostPort : hostPort.slice(0, colon);
  return host.startsWith('[') ? host.slice(1, -1) : host;
}

/** The port of `address:port`; null where there is none. */
export function portOf(hostPort: string): number | null {
  const colon = hostPort.lastIndexOf(':');
  const port = Number(hostPort.slice(colon + 1));
  return colon === -1 || !Number.isInteger(port) ? null : port;
}
