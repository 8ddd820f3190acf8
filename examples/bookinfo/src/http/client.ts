import { Agent, request, type ClientRequest, type OutgoingHttpHeaders } from 'node:http';
import { readBody } from './body.ts';
import type { Environment } from './environment.ts';

export interface CallOptions {
  readonly headers: OutgoingHttpHeaders;
  /** For the whole call: from connecting to the last byte of the answer. */
  readonly timeoutMs: number;
}

export interface CallReply {
  readonly status: number;
  readonly body: string;
}

export interface HttpClient {
  /** Any status is an answer; rejects when there is none (no connection, broken off, too late, too large). */
  readonly get: (url: string, options: CallOptions) => Promise<CallReply>;
  /** Closes the connections kept open. */
  readonly close: () => void;
}

const MAX_REPLY_BYTES = 1024 * 1024;

/** Opens a client with its own kept-open connections; `proxyEnv` is what `proxyEnvironment` gave. */
export function openClient(proxyEnv: Environment | undefined): HttpClient {
  const agent = new Agent({ keepAlive: true, proxyEnv });
  return { get: (url, options) => get(agent, url, options), close: () => agent.destroy() };
}

function get(agent: Agent, url: string, { headers, timeoutMs }: CallOptions): Promise<CallReply> {
  return new Promise((resolve, reject) => {
    let call = send();
    const timer = setTimeout(() => {
      reject(new Error(`GET ${url}: no complete answer within ${timeoutMs} ms`));
      call.destroy();
    }, timeoutMs);

    function send(): ClientRequest {
      const sent = request(url, { agent, headers });
      sent.once('error', (error) => {
        if (isStale(sent, error)) call = send();
        else settle(() => reject(error));
      });
      sent.once('response', (response) => {
        readBody(response, MAX_REPLY_BYTES).then(
          (body) => settle(() => resolve({ status: response.statusCode ?? 0, body })),
          (error: unknown) => settle(() => reject(error)),
        );
      });
      sent.end();
      return sent;
    }

    function settle(outcome: () => void): void {
      clearTimeout(timer);
      outcome();
    }
  });
}

/** A kept-open connection that the server closed just as it was taken up again: nobody saw the request, so send it once more. */
function isStale(sent: ClientRequest, error: Error): boolean {
  return sent.reusedSocket && 'code' in error && error.code === 'ECONNRESET';
}
