import { HeaderList } from '@flotilla/http-codec';
import { fuzz } from '@flotilla/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileFormat, compileTypedFormat } from './header-formatter.ts';
import { TEST_SURROUNDINGS } from './testing.ts';
import { type ConnectionInfo, ResponseFlag, StreamInfo } from '@flotilla/stream';
import { PLAIN_CONNECTION } from '@flotilla/stream/testing';

const CONNECTION: ConnectionInfo = {
  ...PLAIN_CONNECTION,
  id: 7,
  remoteAddress: '10.0.0.9:40000',
  localAddress: '[::1]:9080',
  requestedServerName: 'reviews',
  tls: { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', peer: null, own: null },
  peerUriSan: 'spiffe://cluster.local/ns/default/sa/a',
  localUriSan: 'spiffe://cluster.local/ns/default/sa/b',
};

function sample(): StreamInfo {
  const info = new StreamInfo(CONNECTION, Date.UTC(2024, 1, 29, 13, 5, 9, 42), 1_000);
  info.protocol = 'HTTP/1.1';
  info.method = 'GET';
  info.originalPath = '/old?x=1';
  info.path = '/new?x=1';
  info.authority = 'reviews:9080';
  info.requestHeaders = HeaderList.of({ 'user-agent': 'curl/8.1', 'x-request-id': 'abc-def' });
  info.responseHeaders = HeaderList.of({ 'x-envoy-upstream-service-time': '12', 'grpc-status': '5' });
  info.responseCode = 503;
  info.responseCodeDetails = 'upstream_reset_before_response_started{connection failure}';
  info.responseFlags = ResponseFlag.UpstreamConnectionFailure | ResponseFlag.UpstreamRetryLimitExceeded;
  info.bytesReceived = 3;
  info.bytesSent = 91;
  info.requestEndMs = 1_001.5;
  info.upstreamResponseStartMs = 1_010;
  info.endMs = 1_012.9;
  info.routeName = 'default';
  info.upstreamCluster = 'outbound|9080||reviews.default.svc.cluster.local';
  info.upstreamHost = '127.0.0.1:21001';
  info.upstreamLocalAddress = '127.0.0.1:51000';
  info.upstreamTransportFailureReason = 'delayed connect error: 111';
  return info;
}

describe('access log formats', () => {
  it.each([
    ['%START_TIME%', '2024-02-29T13:05:09.042Z'],
    ['%START_TIME(%Y/%m/%d %H:%M:%S.%3f %z)%', '2024/02/29 13:05:09.042 +0000'],
    ['%START_TIME(%s %j %a %b %e %I%p %%)%', '1709211909 060 Thu Feb 29 01PM %'],
    ['%START_TIME(%s.%6f)%', '1709211909.042000'],
    ['"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%"', '"GET /new?x=1 HTTP/1.1"'],
    ['%REQ(:authority)%|%REQ(Host)%', 'reviews:9080|reviews:9080'],
    ['%REQ(X-REQUEST-ID):3%', 'abc'],
    ['%REQ(X-NONE)% %REQ(X-NONE?USER-AGENT)%', '- curl/8.1'],
    ['%RESPONSE_CODE% %RESPONSE_FLAGS%', '503 URX,UF'],
    ['%RESPONSE_CODE_DETAILS%', 'upstream_reset_before_response_started{connection_failure}'],
    ['%CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%"', '- "delayed_connect_error:_111"'],
    ['%BYTES_RECEIVED% %BYTES_SENT% %DURATION%', '3 91 12'],
    ['%REQUEST_DURATION% %RESPONSE_DURATION% %RESPONSE_TX_DURATION% %REQUEST_TX_DURATION%', '1 10 2 -'],
    ['%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% %RESP(:STATUS)% %TRAILER(grpc-status)%', '12 503 -'],
    ['%UPSTREAM_HOST% %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS%', sampleUpstream()],
    ['%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%', '[::1]:9080 ::1'],
    ['%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS%', '10.0.0.9 1.2.3.4:5'],
    ['%REQUESTED_SERVER_NAME% %ROUTE_NAME% %DOWNSTREAM_TLS_VERSION%', 'reviews default TLSv1.3'],
    ['%DOWNSTREAM_TLS_CIPHER% %DOWNSTREAM_PEER_SUBJECT%', 'TLS_AES_256_GCM_SHA384 -'],
    ['%GRPC_STATUS_NUMBER%', '5'],
    ['100%% of it', '100% of it'],
    ['', ''],
  ])('%s', (format, expected) => {
    expect(compileFormat(format, TEST_SURROUNDINGS)(sample())).toBe(expected);
  });

  it.each([
    ['%NO_SUCH_THING%', 'unknown command operator %NO_SUCH_THING%'],
    ['%REQ%', '%REQ%: needs a header name'],
    ['%REQ(A?B?C)%', '%REQ%: needs a header name'],
    ['%PROTOCOL(x)%', '%PROTOCOL%: takes no argument'],
    ['%START_TIME(%Q)%', '"%Q" is not a time conversion'],
    ['50% of it', 'is not a command operator'],
    ['%DURATION', 'is not a command operator'],
    ['%FILTER_STATE(a:FIELD:b)%', 'takes a key, then PLAIN or TYPED'],
    ['%DOWNSTREAM_TLS_GROUP%', 'unknown command operator %DOWNSTREAM_TLS_GROUP%'],
    ['%METADATA(LISTENER:a:b)%', '"LISTENER" is not DYNAMIC, ROUTE, CLUSTER or UPSTREAM_HOST'],
    ['%COMMON_DURATION(DS_RX_BEG:NOW:ms)%', 'takes START:END:PRECISION'],
    ['%GRPC_STATUS(LOUD)%', '"LOUD" is not CAMEL_STRING'],
  ])('refuses %s', (format, message) => {
    expect(() => compileFormat(format, TEST_SURROUNDINGS)).toThrow(message);
  });

  it('leaves absent values empty in header values', () => {
    expect(compileFormat('%REQ(X-NONE)%', TEST_SURROUNDINGS, { absent: '' })(sample())).toBe('');
  });

  it('keeps the type of an operator that stands alone', () => {
    expect(compileTypedFormat('%RESPONSE_CODE%', TEST_SURROUNDINGS)(sample())).toBe(503);
    expect(compileTypedFormat('%REQ(X-NONE)%', TEST_SURROUNDINGS)(sample())).toBeNull();
    expect(compileTypedFormat('%RESPONSE_CODE%!', TEST_SURROUNDINGS)(sample())).toBe('503!');
  });

  it('either compiles and prints any text, or refuses it with the reason', () => {
    const piece = fc.oneof(
      fc.constantFrom('%', '%%', '%REQ(', ')%', '):3%', '%START_TIME(', '%DURATION%', '%E3S', '%RESP(A?B):9%'),
      fc.string({ unit: 'binary', maxLength: 8 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const format = pieces.join('');
        let print: ReturnType<typeof compileFormat>;
        try {
          print = compileFormat(format, TEST_SURROUNDINGS);
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid' });
          return;
        }
        expect(typeof print(sample())).toBe('string');
        if (!format.includes('%')) expect(print(sample())).toBe(format);
      }),
      fuzz(2_000),
    );
  });
});

function sampleUpstream(): string {
  return '127.0.0.1:21001 outbound|9080||reviews.default.svc.cluster.local 127.0.0.1:51000';
}
