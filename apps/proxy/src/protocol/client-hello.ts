/** What a TLS ClientHello says before any key is exchanged. */
export interface ClientHello {
  /** SNI host name, lower-case; null without. */
  readonly serverName: string | null;
  /** Offered ALPN protocols in the client's order. */
  readonly alpn: readonly string[];
}

/** `incomplete`: more bytes are needed; `not-tls`: this is no ClientHello. */
export type ClientHelloOutcome = ClientHello | 'incomplete' | 'not-tls';

const RECORD_HANDSHAKE = 22;
const HANDSHAKE_CLIENT_HELLO = 1;
const EXTENSION_SERVER_NAME = 0;
const EXTENSION_ALPN = 16;

/**
 * Reads the first bytes of a connection (RFC 8446, sections 4.1.2 and 5.1) without consuming them. A hello may be
 * cut into several records. Malformed input is `not-tls`, never a throw.
 */
export function parseClientHello(bytes: Buffer): ClientHelloOutcome {
  const body = joinRecords(bytes);
  if (body === 'not-tls') return body;
  if (body.length < 4) return 'incomplete';
  if (body[0] !== HANDSHAKE_CLIENT_HELLO) return 'not-tls';
  const length = body.readUIntBE(1, 3);
  if (body.length < 4 + length) return 'incomplete';
  return readHello(new Reader(body.subarray(4, 4 + length)));
}

/** Handshake bytes of all records so far, without record headers; a cut-off last record gives what there is. */
function joinRecords(bytes: Buffer): Buffer | 'not-tls' {
  const parts: Buffer[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes[at] !== RECORD_HANDSHAKE) return parts.length === 0 ? 'not-tls' : Buffer.concat(parts);
    // Major version 3 for SSL 3.0 to TLS 1.3.
    if (at + 1 < bytes.length && bytes[at + 1] !== 3) return 'not-tls';
    if (at + 5 > bytes.length) break;
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > 16_384) return 'not-tls';
    parts.push(bytes.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}

function readHello(reader: Reader): ClientHelloOutcome {
  reader.skip(2 + 32); // version, random
  reader.skip(reader.uint8()); // session id
  reader.skip(reader.uint16()); // cipher suites
  reader.skip(reader.uint8()); // compression methods
  let serverName: string | null = null;
  let alpn: string[] = [];
  if (!reader.isAtEnd) {
    const extensions = reader.take(reader.uint16());
    while (!extensions.isAtEnd && !extensions.isBroken) {
      const type = extensions.uint16();
      const extension = extensions.take(extensions.uint16());
      if (type === EXTENSION_SERVER_NAME) serverName = readServerName(extension);
      else if (type === EXTENSION_ALPN) alpn = readAlpn(extension);
    }
    if (extensions.isBroken) return 'not-tls';
  }
  return reader.isBroken ? 'not-tls' : { serverName, alpn };
}

function readServerName(extension: Reader): string | null {
  const list = extension.take(extension.uint16());
  while (!list.isAtEnd && !list.isBroken) {
    const type = list.uint8();
    const name = list.text(list.uint16());
    if (type === 0 && name !== '') return name.toLowerCase();
  }
  return null;
}

function readAlpn(extension: Reader): string[] {
  const list = extension.take(extension.uint16());
  const protocols: string[] = [];
  while (!list.isAtEnd && !list.isBroken) protocols.push(list.text(list.uint8()));
  return protocols;
}

/** Reads forward; reading past the end marks it broken and gives zeros. */
class Reader {
  isBroken = false;
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  uint8(): number {
    return this.#advance(1) ? (this.#bytes[this.#at - 1] ?? 0) : 0;
  }

  uint16(): number {
    return this.#advance(2) ? this.#bytes.readUInt16BE(this.#at - 2) : 0;
  }

  skip(length: number): void {
    this.#advance(length);
  }

  take(length: number): Reader {
    const start = this.#at;
    const taken = new Reader(this.#advance(length) ? this.#bytes.subarray(start, this.#at) : Buffer.alloc(0));
    taken.isBroken = this.isBroken;
    return taken;
  }

  text(length: number): string {
    const start = this.#at;
    return this.#advance(length) ? this.#bytes.toString('latin1', start, this.#at) : '';
  }

  #advance(length: number): boolean {
    if (this.#at + length > this.#bytes.length) {
      this.isBroken = true;
      this.#at = this.#bytes.length;
      return false;
    }
    this.#at += length;
    return true;
  }
}
