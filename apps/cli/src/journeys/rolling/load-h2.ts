import { connect, constants, type ClientHttp2Session } from 'node:http2';
import { isRefused } from './load.ts';

/** HTTP/2 with prior knowledge to one of several addresses, as a client behind a load balancer has it. */
export class ClientH2 {
  readonly #pick: () => string;
  #session: ClientHttp2Session | null = null;

  /** `pick`: the origin to connect to next. */
  constructor(pick: () => string) {
    this.#pick = pick;
  }

  /**
   * Resolves when the answer is whole; rejects with what went wrong. What a server has not begun with is sent again, and
   * where nobody listens it goes elsewhere.
   */
  async request(path: string, authority: string): Promise<void> {
    while (!(await this.#once(this.#open(), path, authority)));
  }

  close(): void {
    this.#session?.close();
  }

  #open(): ClientHttp2Session {
    const present = this.#session;
    if (present !== null && !present.closed && !present.destroyed) return present;
    const session = connect(this.#pick());
    session.on('error', () => session.destroy());
    // No new stream on a session whose server says good-bye; those that are open finish.
    session.on('goaway', () => {
      if (this.#session === session) this.#session = null;
    });
    this.#session = session;
    return session;
  }

  /** False: no server has seen it. */
  #once(session: ClientHttp2Session, path: string, authority: string): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const stream = session.request({ ':path': path, ':authority': authority });
      let status = 0;
      let body = '';
      stream.setEncoding('utf8');
      stream.on('response', (headers) => (status = headers[':status'] ?? 0));
      stream.on('data', (chunk: string) => (body += chunk));
      let isUnheard = false;
      stream.on('error', (error) => (isUnheard = isRefused(error)));
      stream.once('close', () => {
        if (isUnheard || stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) resolve(false);
        else if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) reject(new Error(`reset, code ${stream.rstCode}`));
        else if (status !== 200) reject(new Error(`status ${status} ${body.slice(0, 200)}`));
        else resolve(true);
      });
    });
  }
}
