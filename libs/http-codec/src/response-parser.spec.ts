import { describe, expect, it } from 'vitest';
import { createResponseParser } from './response-parser.ts';
import { recordResponses } from './testing-recorder.ts';

const parse = (text: string, methods = ['GET'], options = {}) =>
  recordResponses([Buffer.from(text, 'latin1')], methods, options);

describe('a response', () => {
  it.each([
    ['a length', 'GET', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi', 'hi', 2],
    ['chunks', 'GET', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n', 'hi', 'chunked'],
    ['nothing for HEAD', 'HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n', '', 'none'],
    ['nothing for 204', 'GET', 'HTTP/1.1 204 No Content\r\n\r\n', '', 'none'],
    ['nothing for 304', 'GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n', '', 'none'],
    ['the end of the connection', 'GET', 'HTTP/1.1 200 OK\r\n\r\nhi', 'hi', 'until-close'],
    ['a zero length', 'GET', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', '', 0],
  ])('ends by %s', (_name, method, text, body, framing) => {
    expect(parse(text, [method], { finish: true })).toMatchObject([
      { kind: 'response', head: { body: framing }, body, isWhole: true },
    ]);
  });

  it('may come after interim ones', () => {
    const text =
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n';
    expect(parse(text)).toMatchObject([
      { kind: 'informational', status: 100 },
      { kind: 'informational', status: 103, fields: ['link', 'a'] },
      { kind: 'response', head: { status: 204 } },
    ]);
  });

  it.each([
    ['HTTP/1.1 200', 200, ''],
    ['HTTP/1.1 200 ', 200, ''],
    ['HTTP/1.0 404 Not Found', 404, 'Not Found'],
    ['HTTP/1.1 999 \xe4', 999, '\xe4'],
  ])('takes the status line %j', (line, status, reason) => {
    expect(parse(`${line}\r\nContent-Length: 0\r\n\r\n`)).toMatchObject([{ head: { status, reason } }]);
  });

  it('switches to a tunnel on 101 and on CONNECT', () => {
    const switched = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nHTTP/1.1 x';
    expect(parse(switched, ['GET'], { isUpgrade: true, finish: true })).toMatchObject([
      { head: { isTunnel: true, upgrade: 'echo' }, body: 'HTTP/1.1 x', isWhole: true },
    ]);
    expect(parse('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nraw', ['CONNECT'])).toMatchObject([{ body: 'raw' }]);
  });

  it.each([
    ['no upgrade asked for', 'HTTP/1.1 101 Switching Protocols\r\n\r\n', 'bad-status-line'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n', 'bad-status-line'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n', 'bad-status-line'],
    ['a status below 100', 'HTTP/1.1 099 OK\r\n\r\n', 'bad-status-line'],
    ['another protocol', 'ICY 200 OK\r\n\r\n', 'bad-status-line'],
    ['HTTP/2.0', 'HTTP/2.0 200 OK\r\n\r\n', 'version-not-supported'],
    ['an empty line first', '\r\nHTTP/1.1 200 OK\r\n\r\n', 'bad-request-line'],
    [
      'both framings',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      'content-length-with-transfer-encoding',
    ],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 'repeated-content-length'],
    ['white space before a colon', 'HTTP/1.1 200 OK\r\nA : b\r\n\r\n', 'space-before-colon'],
    [
      'chunked coding in HTTP/1.0',
      'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
      'transfer-encoding-in-http10',
    ],
    ['interim responses without end', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(40), 'too-many-informational'],
  ])('is refused: %s', (_name, text, code) => {
    expect(parse(text).at(-1)).toEqual({ kind: 'error', code });
  });

  it('that is cut off is refused', () => {
    const text = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi';
    expect(parse(text, ['GET'], { finish: true }).at(-1)).toEqual({ kind: 'error', code: 'unexpected-end' });
  });

  it('nobody asked for is held, not read', () => {
    const parser = createResponseParser({
      onInformational() {},
      onHead() {},
      onData() {},
      onEnd() {},
      onError() {},
    });
    parser.expect('GET');
    parser.feed(Buffer.from('HTTP/1.1 204 No Content\r\n\r\n'));
    expect(parser.isIdle).toBe(true);
    parser.feed(Buffer.from('HTTP/1.1 204 No Content\r\n\r\n'));
    expect(parser.hasHeldBytes).toBe(true);
  });

  it.each(['paused within a read', 'paused before a read'])('keeps lent bytes that it holds: %s', (when) => {
    let body = '';
    const parser = createResponseParser({
      onInformational() {},
      onHead: () => when === 'paused within a read' && parser.pause(),
      onData: (chunk) => (body += chunk.toString('latin1')),
      onEnd() {},
      onError() {},
    });
    const lend = (text: string) => {
      const lent = Buffer.from(text);
      parser.feed(lent, true);
      lent.fill(0xdb);
    };
    parser.expect('GET');
    lend('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nlent');
    if (when === 'paused before a read') parser.pause();
    lend('more');
    parser.resume();
    expect(body).toBe('lentmore');
    expect(parser.isIdle).toBe(true);
  });
});
