import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';

/** A whole HTTP/1 message that was found at the beginning of some bytes. */
export interface MessageH1 {
  /** Start line and fields, lines ended by LF. */
  readonly head: string;
  readonly framing: 'none' | 'length' | 'chunked' | 'close' | 'tunnel';
  readonly body: string;
  /** Lines of the trailer section. */
  readonly trailers: string;
  readonly size: number;
}

export interface MessageOptions {
  readonly isResponse: boolean;
  /** Method of the request that a response answers. */
  readonly method: string;
  /** No more bytes come. */
  readonly isOver: boolean;
}

/**
 * Finds the first message in the bytes (as latin1); null while it is not whole, `broken` when it never will be.
 * Deliberately naive: it reads what servers and proxies write, and shows everything else as it is.
 */
export function findMessage(
  bytes: string,
  { isResponse, method, isOver }: MessageOptions,
): MessageH1 | 'broken' | null {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd === -1) return isOver ? 'broken' : null;
  const head = bytes.slice(0, headEnd).replaceAll('\r\n', '\n');
  const start = headEnd + 4;
  const whole = (framing: MessageH1['framing'], body: string, size: number, trailers = ''): MessageH1 => ({
    head,
    framing,
    body,
    trailers,
    size,
  });
  if (isResponse) {
    const status = Number(/^HTTP\/1\.\d (\d{3})/.exec(head)?.[1] ?? NaN);
    if (Number.isNaN(status)) return isOver ? whole('close', bytes.slice(start), bytes.length) : null;
    if (status === 101 || (method === 'CONNECT' && status === 200)) return whole('tunnel', '', start);
    if (status < 200 || status === 204 || status === 304 || method === 'HEAD') return whole('none', '', start);
  }
  if (/\ntransfer-encoding:[^\n]*chunked/i.test(head)) return chunked(bytes, start, isOver, whole);
  const length = /\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) {
    const size = start + Number(length);
    if (bytes.length >= size) return whole('length', bytes.slice(start, size), size);
    return isOver ? 'broken' : null;
  }
  if (!isResponse) return whole('none', '', start);
  return isOver ? whole('close', bytes.slice(start), bytes.length) : null;
}

function chunked(
  bytes: string,
  start: number,
  isOver: boolean,
  whole: (framing: 'chunked', body: string, size: number, trailers: string) => MessageH1,
): MessageH1 | 'broken' | null {
  const incomplete = isOver ? 'broken' : null;
  let body = '';
  let at = start;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd === -1) return incomplete;
    const size = Number.parseInt(bytes.slice(at, lineEnd), 16);
    if (Number.isNaN(size)) return incomplete;
    at = lineEnd + 2;
    if (size === 0) break;
    if (bytes.length < at + size + 2) return incomplete;
    body += bytes.slice(at, at + size);
    at += size + 2;
  }
  const trailersStart = at;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd === -1) return incomplete;
    const isLast = lineEnd === at;
    at = lineEnd + 2;
    if (isLast) return whole('chunked', body, at, bytes.slice(trailersStart, at - 2).replaceAll('\r\n', '\n'));
  }
}

/** A message for people, and for comparing: chunk boundaries and how bytes were compressed are not part of it. */
export function showMessage(message: MessageH1): string {
  const body =
    message.framing === 'none' || message.framing === 'tunnel' ? '' : `\n[${message.framing}] ${decoded(message)}`;
  return message.head + body + (message.trailers === '' ? '' : `\n[trailers] ${message.trailers.trimEnd()}`);
}

const DECODERS: Readonly<Record<string, (body: Buffer) => Buffer>> = {
  gzip: gunzipSync,
  br: brotliDecompressSync,
  zstd: zstdDecompressSync,
};

/** The body as it was before its `content-encoding`; one that is not what it claims stays as it is. */
function decoded({ head, body }: MessageH1): string {
  const encoding = /\ncontent-encoding: *(\w+)/i.exec(head)?.[1]?.toLowerCase() ?? '';
  const decode = DECODERS[encoding];
  if (decode === undefined || body === '') return body;
  try {
    return `(${encoding}) ${decode(Buffer.from(body, 'latin1')).toString('latin1')}`;
  } catch {
    return body;
  }
}
