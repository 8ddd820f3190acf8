import { describe, expect, it } from 'vitest';
import { detectHttp } from './http-first-line.ts';

describe('the first bytes of a plain connection', () => {
  it.each([
    ['GET / HTTP/1.1\r\nHost: a', 'http/1.1'],
    ['POST /x HTTP/1.0\r\n', 'http/1.0'],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'h2c'],
    ['PRI * HTTP/2.0\r\n', 'incomplete'],
    ['GE', 'incomplete'],
    ['GET /a', 'incomplete'],
    ['', 'incomplete'],
    ['GET / HTTP/3.0\r\n', null],
    ['220 smtp.example ESMTP\r\n', null],
    ['\x16\x03\x01', null],
    ['{"json": 1}\n', null],
    ['*1\r\n$4\r\nPING\r\n', null],
  ])('%j are %s', (text, protocol) => {
    expect(detectHttp(Buffer.from(text, 'latin1'))).toBe(protocol);
  });
});
