import { isHttpProtocol, protocolByName, type PortProtocol } from '@flotilla/model';

/** Protocol of a port whose protocol is a field (ServiceEntry, Sidecar, Gateway). Unknown text is plain TCP. */
export function protocolOfField(protocol: string): PortProtocol {
  return protocolByName(protocol) ?? 'TCP';
}

/** Upstream requests use HTTP/2 without being asked to. */
export function isHttp2(protocol: PortProtocol): boolean {
  return protocol === 'HTTP2' || protocol === 'GRPC' || protocol === 'GRPC-Web';
}

/** The client's bytes are TLS, which the proxy does not terminate. */
export function isTls(protocol: PortProtocol): boolean {
  return protocol === 'HTTPS' || protocol === 'TLS';
}

/** Requests on such a port may be routed: HTTP, or not known until the first bytes. */
export function mayBeHttp(protocol: PortProtocol): boolean {
  return protocol === 'auto' || isHttpProtocol(protocol);
}
