import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Where to listen; port 0 lets the system choose. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export interface RunningService {
  readonly name: string;
  readonly port: number;
  /** `http://127.0.0.1:9080`, without a final slash. */
  readonly url: string;
  /** Stops accepting, lets the requests in flight finish, then frees what the service holds. */
  readonly close: () => Promise<void>;
}

export interface ServiceParts {
  readonly name: string;
  readonly listener: RequestListener;
  /** Called once, after the last request. */
  readonly release?: () => void;
}

// Longer than Node's default, so that a client which keeps connections open seldom sends into one being closed.
const KEEP_ALIVE_TIMEOUT_MS = 65_000;

/** Opens a service; rejects with Node's error (`EADDRINUSE`, …) when the address cannot be had. */
export async function openService(parts: ServiceParts, address: ListenAddress): Promise<RunningService> {
  const inFlight = new Set<ServerResponse>();
  let isStopping = false;
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS }, (request, response) => {
    inFlight.add(response);
    response.once('close', () => {
      inFlight.delete(response);
      if (isStopping) server.closeIdleConnections();
    });
    if (isStopping) response.setHeader('connection', 'close');
    parts.listener(request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(address, () => resolve());
  });
  // A server that listens on TCP has an AddressInfo; the other two forms are pipes and closed servers.
  const { port } = server.address() as AddressInfo;

  const close = (): Promise<void> =>
    new Promise((resolve) => {
      isStopping = true;
      server.close(() => {
        parts.release?.();
        resolve();
      });
      // Idle connections are closed by server.close(); busy ones go with their answer.
      for (const response of inFlight) if (!response.headersSent) response.setHeader('connection', 'close');
    });
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return { name: parts.name, port, url: `http://${host}:${port}`, close };
}
