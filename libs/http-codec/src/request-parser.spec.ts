import { describe, expect, it } from 'vitest';
import { createRequestParser, type RequestHead } from './request-parser.ts';
import { type Recorded, recordRequests } from './testing-recorder.ts';

const bytes = (text: string) => [Buffer.from(text, 'latin1')];
const parse = (text: string, options = {}): Recorded[] => recordRequests(bytes(text), options);

function first(text: string, options = {}): RequestHead {
  const [message] = parse(text, options);
  if (message?.kind !== 'request') throw new Error(`not a request: ${JSON.stringify(message)}`);
  return message.head;
}

function refusal(text: string, options = {}): string | null {
  const last = parse(text, options).at(-1);
  return last?.kind === 'error' ? last.code : null;
}

describe('a request head', () => {
  it('is read with fields in order, names lowered, values trimmed', () => {
    const head = first('GET /a/b?c=d HTTP/1.1\r\nHost: x:80\r\nX-A:  1\t \r\nx-b:\r\nX-A: 2\r\n\r\n');
    expect(head).toMatchObject({ method: 'GET', path: '/a/b?c=d', authority: 'x:80', form: 'origin', body: 'none' });
    expect(head.headers.flat).toEqual(['x-a', '1', 'x-b', '', 'x-a', '2']);
  });

  it('gives framing and hop-by-hop fields as facts, not as fields', () => {
    const head = first(
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: Keep-Alive, X-Hop\r\nKeep-Alive: 5\r\nX-Hop: 1\r\nTE: trailers, gzip\r\n' +
        'Proxy-Connection: close\r\nExpect: 100-Continue\r\nContent-Length: 0\r\n\r\n',
    );
    expect(head.headers.flat).toEqual(['te', 'trailers', 'content-length', '0']);
    expect(head).toMatchObject({ keepAlive: true, expectsContinue: true, body: 0 });
  });

  it.each([
    [
      'GET http://reviews:9080/x?y HTTP/1.1',
      { form: 'absolute', scheme: 'http', authority: 'reviews:9080', path: '/x?y' },
    ],
    ['GET HTTPS://a HTTP/1.1', { form: 'absolute', scheme: 'https', authority: 'a', path: '/' }],
    ['GET http://a?q HTTP/1.1', { form: 'absolute', authority: 'a', path: '/?q' }],
    ['CONNECT a.b:443 HTTP/1.1', { form: 'authority', authority: 'a.b:443', path: '' }],
    ['CONNECT [::1]:443 HTTP/1.1', { form: 'authority', authority: '[::1]:443' }],
    ['OPTIONS * HTTP/1.1', { form: 'asterisk', path: '*', authority: 'host' }],
  ])('takes the target %s', (line, wanted) => {
    expect(first(`${line}\r\nHost: host\r\n\r\n`)).toMatchObject(wanted);
  });

  it.each([
    ['HTTP/1.1 without Connection', 'HTTP/1.1', '', true],
    ['HTTP/1.1 with close', 'HTTP/1.1', 'Connection: close\r\n', false],
    ['HTTP/1.0 without Connection', 'HTTP/1.0', '', false],
    ['HTTP/1.0 with keep-alive', 'HTTP/1.0', 'Connection: keep-alive\r\n', true],
  ])('keeps alive or not: %s', (_name, version, field, keepAlive) => {
    expect(first(`GET / ${version}\r\nHost: x\r\n${field}\r\n`, { acceptHttp10: true }).keepAlive).toBe(keepAlive);
  });

  it('exposes an upgrade only when Connection says so', () => {
    expect(first('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n').upgrade).toBe(
      'websocket',
    );
    expect(first('GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n').upgrade).toBeNull();
  });

  it('may follow one empty line', () => {
    expect(first('\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n').method).toBe('GET');
  });
});

describe('a body', () => {
  it.each([
    ['by length', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello', 'hello', null],
    [
      'by chunks',
      'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n02\r\nlo\r\n0\r\n\r\n',
      'hello',
      null,
    ],
    [
      'with extensions',
      'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n5;a=b;c="d"\r\nhello\r\n0;x\r\n\r\n',
      'hello',
      null,
    ],
    [
      'with trailers',
      'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\nHost: y\r\n\r\n',
      'a',
      ['x-sum', '1'],
    ],
  ])('is read %s', (_name, text, body, trailers) => {
    expect(parse(text)).toMatchObject([{ kind: 'request', body, trailers, isWhole: true }]);
  });

  it('hands on views of the input, not copies', () => {
    const input = Buffer.from('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello');
    let data: Buffer | null = null;
    const parser = createRequestParser({
      onHead() {},
      onData: (chunk) => void (data = chunk),
      onEnd() {},
      onError() {},
    });
    parser.feed(input);
    expect((data as Buffer | null)?.buffer).toBe(input.buffer);
  });
});

describe('refused requests', () => {
  const head = (line: string, ...fields: string[]) =>
    `${line}\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`;
  const get = (...fields: string[]) => head('GET / HTTP/1.1', 'Host: x', ...fields);
  const post = (body: string, ...fields: string[]) => head('POST / HTTP/1.1', 'Host: x', ...fields) + body;

  it.each([
    [
      'Content-Length and Transfer-Encoding',
      post('0\r\n\r\n', 'Content-Length: 5', 'Transfer-Encoding: chunked'),
      'content-length-with-transfer-encoding',
    ],
    [
      'the same in the other order',
      post('0\r\n\r\n', 'Transfer-Encoding: chunked', 'Content-Length: 5'),
      'content-length-with-transfer-encoding',
    ],
    ['two lengths', post('hello', 'Content-Length: 5', 'Content-Length: 5'), 'repeated-content-length'],
    ['a list of lengths', post('hello', 'Content-Length: 5, 5'), 'repeated-content-length'],
    ['a signed length', post('hello', 'Content-Length: +5'), 'bad-content-length'],
    ['a hexadecimal length', post('hello', 'Content-Length: 0x5'), 'bad-content-length'],
    ['an empty length', post('hello', 'Content-Length:'), 'bad-content-length'],
    ['a length past 2^53', post('hello', 'Content-Length: 99999999999999999'), 'bad-content-length'],
    ['another transfer coding', post('', 'Transfer-Encoding: gzip, chunked'), 'bad-transfer-encoding'],
    ['chunked twice', post('', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'), 'bad-transfer-encoding'],
    ['an almost chunked coding', post('', 'Transfer-Encoding: xchunked'), 'bad-transfer-encoding'],
    ['chunked in quotes', post('', 'Transfer-Encoding: "chunked"'), 'bad-transfer-encoding'],
    ['a bare LF after the request line', 'GET / HTTP/1.1\nHost: x\r\n\r\n', 'bare-lf'],
    ['a bare LF at the end of the head', 'GET / HTTP/1.1\r\nHost: x\r\n\n', 'bare-lf'],
    ['a bare CR in a value', get('A: b\rc'), 'bare-cr'],
    ['a folded value', get('A: b', ' c'), 'obsolete-folding'],
    ['a field line that begins with white space', head('GET / HTTP/1.1', ' Host: x'), 'obsolete-folding'],
    ['white space before the colon', get('Content-Length : 5'), 'space-before-colon'],
    ['a tab before the colon', get('A\t: b'), 'space-before-colon'],
    ['white space in a name', get('A b: c'), 'bad-field-name'],
    ['a name with a separator', get('A@: b'), 'bad-field-name'],
    ['an empty name', get(': b'), 'bad-field-name'],
    ['a line without colon', get('Abc'), 'missing-colon'],
    ['NUL in a value', get('A: b\0c'), 'control-character'],
    ['DEL in a value', get('A: b\x7fc'), 'control-character'],
    ['obs-text in a name', get('\xe4: b'), 'bad-field-name'],
    ['two Hosts', get('Host: y'), 'repeated-host'],
    ['an empty method', ' / HTTP/1.1\r\n\r\n', 'bad-method'],
    ['a method with a separator', head('GE(T / HTTP/1.1', 'Host: x'), 'bad-method'],
    ['an empty target', head('GET  HTTP/1.1', 'Host: x'), 'bad-target'],
    ['two spaces before the version', head('GET /  HTTP/1.1', 'Host: x'), 'bad-version'],
    ['a target with obs-text', head('GET /\xe4 HTTP/1.1', 'Host: x'), 'bad-target'],
    ['a target that is no path', head('GET foo HTTP/1.1', 'Host: x'), 'bad-target'],
    ['a target with user information', head('GET http://a@b/ HTTP/1.1', 'Host: x'), 'bad-target'],
    ['* with another method', head('GET * HTTP/1.1', 'Host: x'), 'bad-target'],
    ['CONNECT without port', head('CONNECT a HTTP/1.1', 'Host: a'), 'bad-target'],
    ['CONNECT with a path', head('CONNECT /a HTTP/1.1', 'Host: a'), 'bad-target'],
    ['HTTP/0.9', 'GET /\r\n\r\n', 'bad-request-line'],
    ['HTTP/1.0 by default', head('GET / HTTP/1.0', 'Host: x'), 'http10-refused'],
    ['HTTP/1.2', head('GET / HTTP/1.2', 'Host: x'), 'version-not-supported'],
    ['HTTP/2.0', head('GET / HTTP/2.0', 'Host: x'), 'version-not-supported'],
    ['http in lower case', head('GET / http/1.1', 'Host: x'), 'bad-version'],
    ['a version with more digits', head('GET / HTTP/1.10', 'Host: x'), 'bad-version'],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'version-not-supported'],
    ['a TLS handshake', '\x16\x03\x01\x02\x00\x01', 'control-character'],
    ['a chunk size that is none', post('x\r\n', 'Transfer-Encoding: chunked'), 'bad-chunk-size'],
    ['an empty chunk size', post('\r\n', 'Transfer-Encoding: chunked'), 'bad-chunk-size'],
    ['a chunk size with 0x', post('0x5\r\nhello\r\n', 'Transfer-Encoding: chunked'), 'bad-chunk-size'],
    ['a signed chunk size', post('+5\r\nhello\r\n', 'Transfer-Encoding: chunked'), 'bad-chunk-size'],
    ['a chunk size past 2^53', post('fffffffffffffff\r\n', 'Transfer-Encoding: chunked'), 'bad-chunk-size'],
    [
      'a chunk size of many zeros',
      post('00000000000000005\r\nhello\r\n', 'Transfer-Encoding: chunked'),
      'bad-chunk-size',
    ],
    ['white space after a chunk size', post('5 \r\nhello\r\n', 'Transfer-Encoding: chunked'), 'bad-chunk-size'],
    ['a bare LF after a chunk size', post('5\nhello\r\n', 'Transfer-Encoding: chunked'), 'bare-lf'],
    ['a bare CR after a chunk size', post('5\rhello\r\n', 'Transfer-Encoding: chunked'), 'bare-cr'],
    ['a bare LF in a chunk extension', post('5;a\nhello\r\n', 'Transfer-Encoding: chunked'), 'bare-lf'],
    [
      'a control character in a chunk extension',
      post('5;\x01\r\n', 'Transfer-Encoding: chunked'),
      'bad-chunk-extension',
    ],
    ['a chunk longer than announced', post('5\r\nhello!\r\n', 'Transfer-Encoding: chunked'), 'bad-chunk-end'],
    ['a chunk ended by LF', post('5\r\nhello\n', 'Transfer-Encoding: chunked'), 'bad-chunk-end'],
    ['a bad field in trailers', post('0\r\nA : b\r\n\r\n', 'Transfer-Encoding: chunked'), 'space-before-colon'],
    ['a folded trailer', post('0\r\nA: b\r\n c\r\n\r\n', 'Transfer-Encoding: chunked'), 'obsolete-folding'],
    ['Connection naming Host', get('Connection: close, host'), 'bad-connection'],
    ['Connection naming X-Forwarded-For', get('Connection: x-forwarded-for'), 'bad-connection'],
    ['Connection naming too many fields', get('Connection: a,b,c,d,e,f,g,h,i,j,k'), 'bad-connection'],
  ])('%s', (_name, text, code) => {
    expect(refusal(text)).toBe(code);
  });

  it('is refused by its first line before the rest has come', () => {
    expect(refusal('GET / HTTP/3.0\r\n')).toBe('version-not-supported');
  });

  it('refuses chunked coding in HTTP/1.0', () => {
    const text = 'POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
    expect(refusal(text, { acceptHttp10: true })).toBe('transfer-encoding-in-http10');
  });

  it('says nothing more after a refusal', () => {
    expect(parse('GET / HTTP/9.9\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n')).toHaveLength(1);
  });
});

describe('limits', () => {
  const big = (fields: string) => `GET / HTTP/1.1\r\nHost: x\r\n${fields}\r\n`;

  it.each([
    ['a head', big(`A: ${'a'.repeat(200)}\r\n`), { maxHeadBytes: 200 }, 'head-too-large'],
    ['a head without end', big(`A: ${'a'.repeat(200)}`).slice(0, -4), { maxHeadBytes: 200 }, 'head-too-large'],
    ['a start line', `GET /${'a'.repeat(500)}`, { maxHeadBytes: 200 }, 'head-too-large'],
    ['the number of fields', big('A: b\r\n'.repeat(5)), { maxFields: 5 }, 'too-many-fields'],
    ['a target', `GET /${'a'.repeat(50)} HTTP/1.1\r\nHost: x\r\n\r\n`, { maxTargetBytes: 50 }, 'target-too-long'],
    [
      'chunk extensions of all chunks',
      `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${'1;aaaa\r\na\r\n'.repeat(5)}`,
      { maxChunkExtensionBytes: 20 },
      'chunk-extensions-too-large',
    ],
    [
      'trailers',
      `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${'A: b\r\n'.repeat(9)}\r\n`,
      { maxFields: 5 },
      'too-many-fields',
    ],
  ])('bound %s', (_name, text, limits, code) => {
    expect(refusal(text, { limits })).toBe(code);
  });

  it('allow exactly as much as they say', () => {
    const text = big('A: b\r\n');
    expect(refusal(text, { limits: { maxHeadBytes: text.length, maxFields: 2 } })).toBeNull();
    expect(refusal(text, { limits: { maxHeadBytes: text.length - 1 } })).toBe('head-too-large');
  });
});

describe('several requests on one connection', () => {
  const two = Buffer.from(
    'POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\naGET /2 HTTP/1.1\r\nHost: x\r\n\r\n',
  );

  it('stand still after each until told to go on', () => {
    const seen: string[] = [];
    const parser = createRequestParser({
      onHead: (head) => void seen.push(head.path),
      onData: (chunk) => void seen.push(chunk.toString()),
      onEnd: () => void seen.push('end'),
      onError: (error) => void seen.push(error.code),
    });
    parser.feed(two);
    expect(seen).toEqual(['/1', 'a', 'end']);
    expect(parser.hasHeldBytes).toBe(true);
    parser.next();
    expect(seen).toEqual(['/1', 'a', 'end', '/2', 'end']);
    expect(parser.hasHeldBytes).toBe(false);
  });

  it('can be paused inside a body', () => {
    const seen: string[] = [];
    const parser = createRequestParser({
      onHead: () => parser.pause(),
      onData: (chunk) => void seen.push(chunk.toString()),
      onEnd: () => void seen.push('end'),
      onError: (error) => void seen.push(error.code),
    });
    parser.feed(two);
    parser.feed(Buffer.from('more'));
    expect(seen).toEqual([]);
    parser.resume();
    expect(seen).toEqual(['a', 'end']);
  });

  it('give way to a tunnel: held bytes are its first data', () => {
    const seen: string[] = [];
    const parser = createRequestParser({
      onHead() {},
      onData: (chunk) => void seen.push(chunk.toString()),
      onEnd: () => void seen.push('end'),
      onError: (error) => void seen.push(error.code),
    });
    parser.feed(Buffer.from('GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nabc'));
    expect(seen).toEqual(['end']);
    parser.tunnel();
    parser.feed(Buffer.from('\r\n\r\n'));
    parser.finish();
    expect(seen).toEqual(['end', 'abc', '\r\n\r\n', 'end']);
  });

  it('are refused when the connection ends inside of one', () => {
    const cut = [two.subarray(0, two.length - 3)];
    expect(recordRequests(cut, { finish: true }).at(-1)).toEqual({ kind: 'error', code: 'unexpected-end' });
    expect(recordRequests([two], { finish: true })).toHaveLength(2);
    expect(recordRequests([], { finish: true })).toEqual([]);
  });
});
