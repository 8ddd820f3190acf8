/** The address of `address:port`, an IPv6 one without its brackets; a text without a port stays whole. */
export function addressOf(hostPort: string): string {
  const colon = hostPort.lastIndexOf(':');
  const host = colon === -1 ? hostPort : hostPort.slice(0, colon);
  return host.startsWith('[') ? host.slice(1, -1) : host;
}
