import { expect, test } from 'vitest';
import { createRequestParser, HeaderList, properCase, type RequestHead, serializeRequestHead } from './index.ts';

function parse(text: string, keeps: boolean): RequestHead {
  const heads: RequestHead[] = [];
  const parser = createRequestParser(
    {
      onHead: (head) => heads.push(head),
      onData: () => undefined,
      onEnd: () => undefined,
      onError: (error) => expect.unreachable(error.code),
    },
    { headerCase: { keeps, otherwise: null } },
  );
  parser.next();
  parser.feed(Buffer.from(text, 'latin1'));
  return heads[0] ?? expect.unreachable('no head');
}

test('names are written as they came where that was asked for', () => {
  const text = 'GET / HTTP/1.1\r\nHOST: a\r\nX-MiXed: B: c\r\nx-mixed: d\r\n\r\n';
  const { headers } = parse(text, true);
  headers.append('x-own', 'e');
  const again = serializeRequestHead('GET', '/', 'a', headers.clone(), 'transfer-encoding: chunked\r\n');
  expect(again).toBe(
    'GET / HTTP/1.1\r\nHOST: a\r\nX-MiXed: B: c\r\nX-MiXed: d\r\nx-own: e\r\ntransfer-encoding: chunked\r\n\r\n',
  );
  const lowered = serializeRequestHead('GET', '/', 'a', parse(text, false).headers, '');
  expect(lowered).toBe('GET / HTTP/1.1\r\nhost: a\r\nx-mixed: B: c\r\nx-mixed: d\r\n\r\n');
});

test('proper case has capitals at the start of words', () => {
  const headers = HeaderList.of({ 'x-a_b-c1d': 'v' });
  expect(serializeRequestHead('GET', '/a:b', 'a', headers, '', properCase)).toBe(
    'GET /a:b HTTP/1.1\r\nHost: a\r\nX-A_B-C1d: v\r\n\r\n',
  );
});
