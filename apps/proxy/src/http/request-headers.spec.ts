import { HeaderList } from '@flotilla/http-codec';
import { compileCidrListMatcher } from '@flotilla/match';
import { describe, expect, it } from 'vitest';
import type { AcceptedConnection } from '../ports/accepted-connection.ts';
import { StreamInfo } from '@flotilla/stream';
import type { EdgeSettings, ManagerSettings } from './manager-settings.ts';
import { prepareRequestHeaders } from './request-headers.ts';
import { localAddress } from '../base/local-address.ts';

const EDGE: EdgeSettings = {
  useRemoteAddress: false,
  xffTrustedHops: 0,
  skipXffAppend: false,
  appendForwardedPort: false,
  isInternalAddress: compileCidrListMatcher([{ address: '10.0.0.0', prefixLength: 8 }]),
  via: '',
  generateRequestId: false,
  preserveExternalRequestId: false,
  alwaysSetRequestIdInResponse: false,
  schemeToOverwrite: null,
};

function prepare(fields: Readonly<Record<string, string>>, edge: Partial<EdgeSettings>, remote = '1.2.3.4:5') {
  const headers = HeaderList.of(fields);
  const connection = {
    info: { remoteAddress: remote, localAddress: '9.9.9.9:80', localUriSan: null, filterState: null, tls: null },
    isTls: false,
  } as unknown as AcceptedConnection; // only these are read
  const clientCert = { mode: 'sanitize', subject: false, cert: false, dns: false, uri: false };
  const settings = { edge: { ...EDGE, ...edge }, clientCert, routes: () => null } as unknown as ManagerSettings; // only these are read
  const info = new StreamInfo(connection.info, 0, 0);
  const scheme = prepareRequestHeaders(headers, connection, settings, info);
  return { ...Object.fromEntries(headers), scheme };
}

describe('at the edge (use_remote_address)', () => {
  const edge = { useRemoteAddress: true };

  it.each<[string, Readonly<Record<string, string>>, Partial<EdgeSettings>, Readonly<Record<string, string>>]>([
    [
      'the client is noted',
      {},
      {},
      { 'x-forwarded-for': '1.2.3.4', 'x-envoy-external-address': '1.2.3.4', 'x-forwarded-proto': 'http' },
    ],
    [
      'the client is added to a list, and a claimed scheme is replaced',
      { 'x-forwarded-for': '8.8.8.8', 'x-forwarded-proto': 'https' },
      {},
      { 'x-forwarded-for': '8.8.8.8,1.2.3.4', 'x-envoy-external-address': '1.2.3.4', 'x-forwarded-proto': 'http' },
    ],
    [
      'a trusted hop names the client',
      { 'x-forwarded-for': '7.7.7.7,8.8.8.8', 'x-forwarded-proto': 'https' },
      { xffTrustedHops: 1 },
      {
        'x-forwarded-for': '7.7.7.7,8.8.8.8,1.2.3.4',
        'x-envoy-external-address': '8.8.8.8',
        'x-forwarded-proto': 'https',
        scheme: 'https',
      },
    ],
    [
      'the list may be left alone',
      { 'x-forwarded-for': '8.8.8.8' },
      { skipXffAppend: true },
      { 'x-forwarded-for': '8.8.8.8' },
    ],
    ['the port is told', {}, { appendForwardedPort: true }, { 'x-forwarded-port': '80' }],
    ['via is added', { via: '1.0 a' }, { via: 'b' }, { via: '1.0 a, b' }],
  ])('%s', (_name, fields, more, wanted) => {
    expect(prepare(fields, { ...edge, ...more })).toMatchObject(wanted);
  });

  it('orders of the mesh from outside are removed', () => {
    const fields = {
      'x-envoy-max-retries': '9',
      'x-envoy-upstream-rq-timeout-ms': '1',
      'x-envoy-internal': 'true',
      'x-envoy-decorator-operation': 'x',
      'x-envoy-original-path': '/lie',
      'x-envoy-original-host': 'lie',
      'x-envoy-upstream-stream-duration-ms': '1',
    };
    const result = prepare(fields, edge);
    expect(Object.keys(result).filter((name) => name.startsWith('x-envoy-'))).toEqual(['x-envoy-external-address']);
  });

  it('an internal client may give orders', () => {
    const result = prepare({ 'x-envoy-max-retries': '9' }, edge, '10.1.1.1:5');
    expect(result).toMatchObject({ 'x-envoy-max-retries': '9', 'x-envoy-internal': 'true' });
  });

  it('a client on this host is noted by an address that others could reach', () => {
    expect(prepare({}, edge, '127.0.0.1:5')).toMatchObject({ 'x-forwarded-for': localAddress() });
  });

  it('a request id from outside is replaced', () => {
    const made = prepare({ 'x-request-id': 'theirs' }, { ...edge, generateRequestId: true });
    expect(made).toHaveProperty('x-request-id', expect.stringMatching(/^[0-9a-f-]{36}$/));
    const kept = prepare(
      { 'x-request-id': 'theirs' },
      { ...edge, generateRequestId: true, preserveExternalRequestId: true },
    );
    expect(kept).toHaveProperty('x-request-id', 'theirs');
  });
});

describe('inside', () => {
  it('what the proxy before it says of the path and host that were asked for stays', () => {
    const said = { 'x-envoy-original-path': '/a', 'x-envoy-original-host': 'h' };
    expect(prepare(said, {})).toMatchObject(said);
  });

  it('headers about the client stay as they are', () => {
    const fields = { 'x-forwarded-for': '8.8.8.8', 'x-forwarded-proto': 'https', 'x-request-id': 'a' };
    expect(prepare(fields, { generateRequestId: true })).toEqual({ ...fields, scheme: 'https' });
  });

  it('orders are taken when the only forwarded address is internal', () => {
    const fields = { 'x-envoy-max-retries': '9', 'x-forwarded-for': '10.0.0.1' };
    expect(prepare(fields, {})).toMatchObject({ 'x-envoy-internal': 'true', 'x-envoy-max-retries': '9' });
    expect(prepare({ 'x-envoy-max-retries': '9' }, {})).not.toHaveProperty('x-envoy-max-retries');
  });

  it('a client certificate header without a certificate is removed', () => {
    expect(prepare({ 'x-forwarded-client-cert': 'By=fake' }, {})).not.toHaveProperty('x-forwarded-client-cert');
  });
});
