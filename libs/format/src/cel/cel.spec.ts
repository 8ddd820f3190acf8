import { HeaderList } from '@flotilla/http-codec';
import { beforeAll, describe, expect, it } from 'vitest';
import { type CertificateFacts, type ConnectionInfo, StreamInfo } from '@flotilla/stream';
import { compileCel, loadCel } from './compile-cel.ts';
import { PLAIN_CONNECTION } from '@flotilla/stream/testing';

const CONNECTION: ConnectionInfo = {
  ...PLAIN_CONNECTION,
  remoteAddress: '10.0.0.9:40000',
  localAddress: '10.0.0.1:9080',
  filterChainName: 'c',
};

function sample(connection = CONNECTION): StreamInfo {
  const info = new StreamInfo(connection, Date.UTC(2024, 1, 29), 1_000);
  info.requestHeaders = HeaderList.of({ 'x-user': 'ann' });
  info.path = '/a';
  info.endMs = 1_500;
  info.dynamicMetadata = new Map([['team', { names: ['ann', 'bob'], floor: 3 }]]);
  return info;
}

describe('expressions', () => {
  beforeAll(() => loadCel());

  it.each([
    ["source.address + ' ' + string(source.port)", '10.0.0.9:40000 40000'],
    ['destination.port', 9080],
    ['request.time < timestamp("2025-01-01T00:00:00Z")', true],
    ['request.duration == duration("500ms")', true],
    ["metadata.filter_metadata['team'].names[1]", 'bob'],
    ["'bob' in metadata.filter_metadata['team'].names", true],
    ["metadata.filter_metadata['team'].floor", 3],
    ['xds.filter_chain_name', 'c'],
    ['upstream.address', null],
    ["metadata.filter_metadata['nobody'].x", null],
    ['nothing.at.all', null],
  ])('%s is %s', (expression, value) => {
    expect(compileCel(expression).value(sample())).toBe(value);
  });

  it('hold only where they are true: not where they ask for what is not there', () => {
    expect(compileCel("request.headers['x-user'] == 'ann'").holds(sample())).toBe(true);
    expect(compileCel("request.headers['x-none'] != 'ann'").holds(sample())).toBe(false);
    expect(compileCel('1').holds(sample())).toBe(false);
  });

  it('know both certificates of a connection', () => {
    const own: CertificateFacts = {
      names: { uri: ['spiffe://cluster.local/ns/default/sa/web'], dns: ['web.test'], ip: [], email: [] },
      subject: '',
      issuer: 'CN=root',
      serial: '01',
      sha1: '',
      sha256: '',
      pem: '',
      validFromMs: 0,
      validToMs: 0,
    };
    const tls = { version: 'TLSv1.3', cipher: 'x', peer: null, own };
    const info = sample({ ...CONNECTION, tls, clientCertificate: 'validated' });
    expect(compileCel('connection.mtls').holds(info)).toBe(true);
    expect(compileCel('connection.dns_san_local_certificate').value(info)).toBe('web.test');
    expect(compileCel('connection.dns_san_peer_certificate').value(info)).toBeNull();
  });

  it.each([
    ['request. ==', /^"request\. ==" is not an expression: 1:8: /],
    ['matches(', /is not an expression: 1:\d+: /],
  ])('refuses %s, with the place', (expression, message) => {
    expect(() => compileCel(expression)).toThrow(message);
  });
});
