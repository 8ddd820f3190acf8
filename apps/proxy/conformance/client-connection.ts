import type { Certificates } from './certificates.ts';
import type { Request } from './scenario.ts';
import type { Upstream } from './upstream-server.ts';

/** How long a client waits for what does not come. */
export const PATIENCE_MS = 4_000;

/** A connection of a client, which writes down what it sees. */
export interface Client {
  request(request: Request): Promise<void>;
  send(text: string): void;
  read(count: number, of: string): Promise<void>;
  readBytes(count: number): Promise<void>;
  readClose(): Promise<void>;
  end(): void;
  reset(): void;
  rst(code: number): void;
  /** Closes it and writes down what had come meanwhile. */
  close(): void;
}

export interface ClientWorld {
  readonly port: number;
  readonly certificates: Certificates;
  readonly upstreams: ReadonlyMap<string, Upstream>;
  readonly fill: (text: string) => string;
  /** A statistic by the name that the scenario gives it. */
  readonly stat: (name: string) => Promise<number>;
}
