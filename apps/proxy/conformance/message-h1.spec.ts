import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findMessage, showMessage } from './message-h1.ts';

const response = { isResponse: true, method: 'GET', isOver: false };

describe('messages', () => {
  it.each([
    ['of known length', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi', '[length] hi'],
    [
      'in chunks, whose boundaries do not show',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\nx-t: 1\r\n\r\n',
      '[chunked] hi\n[trailers] x-t: 1',
    ],
    ['without a body', 'HTTP/1.1 204 No Content\r\n\r\n', 'HTTP/1.1 204 No Content'],
  ])('%s', (_what, bytes, shown) => {
    const message = findMessage(`${bytes}rest`, response);
    if (message === null || message === 'broken') throw new Error(String(message));
    expect(showMessage(message)).toContain(shown);
    expect(message.size).toBe(bytes.length);
  });

  it('are awaited until they are whole', () => {
    const bytes = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n';
    for (let size = 0; size < bytes.length; size++) expect(findMessage(bytes.slice(0, size), response)).toBeNull();
  });

  it('take no more bytes than there are, whatever comes', () => {
    fc.assert(
      fc.property(fc.string(), fc.boolean(), fc.boolean(), (text, isResponse, isOver) => {
        const bytes = `HTTP/1.1 200 OK\r\n${text}\r\n\r\n${text}`;
        const message = findMessage(bytes, { isResponse, method: 'GET', isOver });
        if (message !== null && message !== 'broken') expect(message.size).toBeLessThanOrEqual(bytes.length);
      }),
    );
  });
});
