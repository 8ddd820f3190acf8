import type { Socket } from 'node:net';
import { HeaderList } from '@flotilla/http-codec';
import type { StreamInfo } from '@flotilla/stream';
import type {
  ConnectHandler,
  UpstreamCluster,
  UpstreamFailure,
  UpstreamHandler,
  UpstreamHost,
  UpstreamStream,
} from '../ports/cluster-manager.ts';

/**
 * A CONNECT that ends here: to the router it looks like an upstream that accepts it, to the host it is a connection that
 * carries the bytes as they are (Envoy's TCP upstream).
 */
export class RawStream implements UpstreamStream, ConnectHandler {
  readonly #handler: UpstreamHandler;
  readonly #dialing: { abort(): void };
  #socket: Socket | null = null;
  /** What came before the connection was there. */
  #waiting: Buffer[] = [];
  #hasEnded = false;
  #isPaused = false;
  #isOver = false;

  static open(cluster: UpstreamCluster, host: UpstreamHost, info: StreamInfo, handler: UpstreamHandler): RawStream {
    return new RawStream(cluster, host, info, handler);
  }

  private constructor(cluster: UpstreamCluster, host: UpstreamHost, info: StreamInfo, handler: UpstreamHandler) {
    this.#handler = handler;
    this.#dialing = cluster.connect(host, info, null, this);
  }

  onConnected(socket: Socket): void {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#handler.onData(chunk));
    socket.on('drain', () => this.#handler.onDrain());
    socket.on('end', () => this.#finish(() => this.#handler.onEnd(null)));
    socket.on('error', () => undefined);
    socket.on('close', () => this.#finish(() => this.#handler.onFailure('reset', '')));
    this.#handler.onConnected();
    this.#handler.onHead(200, new HeaderList(), true);
    for (const chunk of this.#waiting.splice(0)) socket.write(chunk);
    if (this.#hasEnded) socket.end();
    if (!this.#isPaused) socket.resume();
  }

  onFailure(failure: UpstreamFailure, detail: string): void {
    this.#finish(() => this.#handler.onFailure(failure, detail));
  }

  write(chunk: Buffer): boolean {
    if (this.#socket !== null) return this.#socket.write(chunk);
    this.#waiting.push(chunk);
    return true;
  }

  end(): void {
    this.#hasEnded = true;
    this.#socket?.end();
  }

  pause(): void {
    this.#isPaused = true;
    this.#socket?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#socket?.resume();
  }

  abort(): void {
    this.#isOver = true;
    this.#dialing.abort();
    this.#socket?.destroy();
  }

  #finish(tell: () => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    tell();
  }
}
