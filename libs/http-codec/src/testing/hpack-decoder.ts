import { decodeHuffman } from '../hpack/huffman.ts';

/** RFC 7541, appendix A. */
const STATIC: readonly (readonly [string, string])[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language', ''],
  ['accept-ranges', ''],
  ['accept', ''],
  ['access-control-allow-origin', ''],
  ['age', ''],
  ['allow', ''],
  ['authorization', ''],
  ['cache-control', ''],
  ['content-disposition', ''],
  ['content-encoding', ''],
  ['content-language', ''],
  ['content-length', ''],
  ['content-location', ''],
  ['content-range', ''],
  ['content-type', ''],
  ['cookie', ''],
  ['date', ''],
  ['etag', ''],
  ['expect', ''],
  ['expires', ''],
  ['from', ''],
  ['host', ''],
  ['if-match', ''],
  ['if-modified-since', ''],
  ['if-none-match', ''],
  ['if-range', ''],
  ['if-unmodified-since', ''],
  ['last-modified', ''],
  ['link', ''],
  ['location', ''],
  ['max-forwards', ''],
  ['proxy-authenticate', ''],
  ['proxy-authorization', ''],
  ['range', ''],
  ['referer', ''],
  ['refresh', ''],
  ['retry-after', ''],
  ['server', ''],
  ['set-cookie', ''],
  ['strict-transport-security', ''],
  ['transfer-encoding', ''],
  ['user-agent', ''],
  ['vary', ''],
  ['via', ''],
  ['www-authenticate', ''],
];
const MAX_TABLE_BYTES = 4096;

/** Decodes the field sections of one direction of a connection, for tests: it trusts its peer. */
export class HpackDecoder {
  readonly #dynamic: (readonly [string, string])[] = [];
  #maxBytes = MAX_TABLE_BYTES;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  /** Names and values in their order. */
  decode(section: Buffer): (readonly [string, string])[] {
    this.#bytes = section;
    this.#at = 0;
    const fields: (readonly [string, string])[] = [];
    while (this.#at < section.length) {
      const first = section[this.#at] ?? 0;
      if (first >= 0x80) fields.push(this.#entry(this.#integer(7)));
      else if (first >= 0x40) {
        const field = this.#literal(6);
        this.#dynamic.unshift(field);
        this.#evict();
        fields.push(field);
      } else if (first >= 0x20) {
        this.#maxBytes = this.#integer(5);
        this.#evict();
      } else fields.push(this.#literal(4));
    }
    return fields;
  }

  #literal(prefixBits: number): readonly [string, string] {
    const index = this.#integer(prefixBits);
    const name = index === 0 ? this.#string() : this.#entry(index)[0];
    return [name, this.#string()];
  }

  #entry(index: number): readonly [string, string] {
    return STATIC[index - 1] ?? this.#dynamic[index - 1 - STATIC.length] ?? ['[no such entry]', String(index)];
  }

  #evict(): void {
    let bytes = 0;
    const kept = this.#dynamic.findIndex(
      ([name, value]) => (bytes += name.length + value.length + 32) > this.#maxBytes,
    );
    if (kept !== -1) this.#dynamic.splice(kept);
  }

  #integer(prefixBits: number): number {
    const max = (1 << prefixBits) - 1;
    let value = (this.#bytes[this.#at++] ?? 0) & max;
    if (value < max) return value;
    for (let factor = 1, byte = 0x80; byte >= 0x80; factor *= 128) {
      byte = this.#bytes[this.#at++] ?? 0;
      value += (byte & 0x7f) * factor;
    }
    return value;
  }

  #string(): string {
    const isHuffman = (this.#bytes[this.#at] ?? 0) >= 0x80;
    const length = this.#integer(7);
    const bytes = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return isHuffman ? decodeHuffman(bytes) : bytes.toString('latin1');
  }
}
