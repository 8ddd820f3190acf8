import type { ConnectionInfo } from './stream-info.ts';

/** A plain connection that nothing is known of, for tests to add what they are about. */
export const PLAIN_CONNECTION: ConnectionInfo = {
  id: 1,
  remoteAddress: '127.0.0.1:1',
  localAddress: '127.0.0.1:2',
  directRemoteAddress: '1.2.3.4:5',
  directLocalAddress: '1.2.3.4:6',
  listenerName: 'l',
  filterChainName: '',
  requestedServerName: null,
  tls: null,
  alpn: null,
  clientCertificate: null,
  peerUriSan: null,
  localUriSan: null,
  filterState: null,
};
