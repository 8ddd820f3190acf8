/** What the first bytes of a plain connection speak; null: not HTTP; `incomplete`: more bytes are needed. */
export type FirstLineProtocol = 'http/1.0' | 'http/1.1' | 'h2c' | null | 'incomplete';

const HTTP2_PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

/** Recognises an HTTP request line or the HTTP/2 connection preface (Envoy's http_inspector). */
export function detectHttp(bytes: Buffer): FirstLineProtocol {
  const lineEnd = bytes.indexOf(0x0a);
  const text = bytes.toString('latin1', 0, lineEnd === -1 ? bytes.length : lineEnd);
  if (text.startsWith(HTTP2_PREFACE.slice(0, Math.min(text.length, 16))) && text.length >= 3) {
    return bytes.length >= HTTP2_PREFACE.length ? 'h2c' : 'incomplete';
  }
  if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]*($| )/.test(text)) return null;
  if (lineEnd === -1) return 'incomplete';
  const match = /^[^ ]+ [^ ]+ HTTP\/1\.([01])\r?$/.exec(text);
  if (match === null) return null;
  return match[1] === '1' ? 'http/1.1' : 'http/1.0';
}
