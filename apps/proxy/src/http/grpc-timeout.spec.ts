import { HeaderList } from '@flotilla/http-codec';
import { describe, expect, it } from 'vitest';
import { grpcTimeoutMs, grpcTimeoutText, parseGrpcTimeout } from './grpc-timeout.ts';

describe('grpc-timeout', () => {
  it.each([
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3_000],
    ['250m', 250],
    ['1500u', 2],
    ['1n', 1],
    ['0m', 0],
    ['123456789m', null],
    ['-1m', null],
    ['1', null],
    ['1x', null],
    [undefined, null],
  ])('%s is %s ms', (text, ms) => {
    expect(parseGrpcTimeout(text)).toBe(ms);
  });

  it.each([
    [250, '250m'],
    [0.2, '1m'],
    [100_000_000, '100000S'],
    [100_000_000_001, '1666667M'],
  ])('%s ms are written as %s', (ms, text) => {
    expect(grpcTimeoutText(ms)).toBe(text);
  });

  const headers = (timeout: string | null, type = 'application/grpc') =>
    HeaderList.of({ 'content-type': type, ...(timeout === null ? {} : { 'grpc-timeout': timeout }) });

  it.each<[string, string | null, 'stream' | 'response', number, number, number | null]>([
    ['the client decides', '1S', 'stream', 0, 0, 1000],
    ['up to a limit', '1S', 'stream', 500, 0, 500],
    ['less an offset', '1S', 'stream', 0, 100, 900],
    ['which leaves something', '50m', 'stream', 0, 100, 1],
    ['without a deadline', null, 'stream', 500, 0, null],
    ['for the response', '1S', 'response', 0, 100, 900],
    ['for the response, an offset above it is none', '50m', 'response', 0, 100, 50],
    ['for the response, without a deadline', null, 'response', 500, 0, 500],
    ['for the response, without any limit', null, 'response', 0, 0, 0],
  ])('%s', (_name, timeout, bounds, maxMs, offsetMs, expected) => {
    expect(grpcTimeoutMs(headers(timeout), { bounds, maxMs, offsetMs })).toBe(expected);
  });

  it('of the response means nothing to other requests', () => {
    const rule = { bounds: 'response', maxMs: 500, offsetMs: 0 } as const;
    expect(grpcTimeoutMs(headers('1S', 'text/plain'), rule)).toBeNull();
  });
});
