/** The address of `address:port`, an IPv6 one without its brackets. */
export function addressOf(hostPort: string): string {
  const colon = hostPort.lastIndexOf(':');
  return hostPort.startsWith('[') ? hostPort.slice(1, colon - 1) : hostPort.slice(0, colon);
}
