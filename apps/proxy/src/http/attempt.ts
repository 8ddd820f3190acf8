import type { HeaderList } from '@flotilla/http-codec';
import { isGrpcType, type StreamInfo } from '@flotilla/stream';
import type {
  PickContext,
  UpstreamCluster,
  UpstreamFailure,
  UpstreamHandler,
  UpstreamHost,
  UpstreamStream,
} from '../ports/cluster-manager.ts';
import { httpStatusOf } from '../protocol/grpc/status.ts';
import { RawStream } from '../upstream/raw-stream.ts';
import { type Order, requestFor } from './order.ts';

/** What the router hears of an attempt. Nothing comes after `onAttemptEnd` or `onAttemptFailure`. */
export interface AttemptOwner {
  /** The request starts going out. */
  onAttemptConnected(): void;
  onAttemptInformational(status: number, headers: HeaderList): void;
  onAttemptHead(attempt: Attempt, status: number, headers: HeaderList, hasBody: boolean): void;
  /** As `UpstreamHandler.borrowsData`, of `onAttemptData`. */
  readonly borrowsData: boolean;
  onAttemptData(chunk: Buffer): void;
  onAttemptEnd(trailers: HeaderList | null): void;
  onAttemptFailure(attempt: Attempt, failure: UpstreamFailure, detail: string): void;
  onAttemptDrain(): void;
}

/** One try of an order at one host. */
export class Attempt implements UpstreamHandler {
  readonly host: UpstreamHost;
  /** Some of the request may have reached the upstream. */
  hasConnected = false;
  readonly #cluster: UpstreamCluster;
  #owner: AttemptOwner | null;
  #stream: UpstreamStream | null = null;
  #hasHead = false;

  /** Picks a host; null when the cluster has none that may be used (UH). */
  static pick(owner: AttemptOwner, cluster: UpstreamCluster, pick: PickContext, info: StreamInfo): Attempt | null {
    const host = cluster.pick(pick);
    if (host === null) return null;
    info.tryHost(host);
    return new Attempt(owner, cluster, host);
  }

  constructor(owner: AttemptOwner, cluster: UpstreamCluster, host: UpstreamHost) {
    this.#owner = owner;
    this.#cluster = cluster;
    this.host = host;
  }

  /** Sends the request's head. Separate from `pick`, so that the owner knows the attempt before its first event. */
  open(order: Order, info: StreamInfo): void {
    const stream =
      order.action.terminatesConnect && order.method === 'CONNECT'
        ? RawStream.open(this.#cluster, this.host, info, this)
        : this.#cluster.open(this.host, requestFor(order, this.host, info), this);
    if (this.#owner === null) stream.abort();
    else this.#stream = stream;
  }

  get borrowsData(): boolean {
    return this.#owner === null || this.#owner.borrowsData;
  }

  write(chunk: Buffer): boolean {
    return this.#stream === null ? true : this.#stream.write(chunk);
  }

  end(trailers: HeaderList | null): void {
    this.#stream?.end(trailers);
  }

  pause(): void {
    this.#stream?.pause();
  }

  resume(): void {
    this.#stream?.resume();
  }

  /** Gives up; nothing comes any more. */
  abort(): void {
    if (this.#owner === null) return;
    this.#owner = null;
    this.#stream?.abort();
  }

  onConnected(): void {
    this.hasConnected = true;
    this.#cluster.reportOutcome(this.host, { kind: 'connected' });
    this.#owner?.onAttemptConnected();
  }

  onInformational(status: number, headers: HeaderList): void {
    this.#owner?.onAttemptInformational(status, headers);
  }

  onHead(status: number, headers: HeaderList, hasBody: boolean): void {
    this.#hasHead = true;
    this.#cluster.reportOutcome(this.host, { kind: 'answer', status: outcomeOf(status, headers) });
    this.#owner?.onAttemptHead(this, status, headers, hasBody);
  }

  onData(chunk: Buffer): void {
    this.#owner?.onAttemptData(chunk);
  }

  onEnd(trailers: HeaderList | null): void {
    const owner = this.#owner;
    this.#owner = null;
    owner?.onAttemptEnd(trailers);
  }

  onFailure(failure: UpstreamFailure, detail: string): void {
    const owner = this.#owner;
    this.#owner = null;
    if (failure !== 'overflow' && !this.#hasHead) {
      this.#cluster.reportOutcome(this.host, { kind: failure === 'connect-timeout' ? 'timeout' : 'unreachable' });
    }
    owner?.onAttemptFailure(this, failure, detail);
  }

  onDrain(): void {
    this.#owner?.onAttemptDrain();
  }
}

/** What outlier detection takes an answer for: a gRPC status in the head counts as the HTTP status it stands for. */
function outcomeOf(status: number, headers: HeaderList): number {
  const grpcStatus = isGrpcType(headers.get('content-type')) ? headers.get('grpc-status') : undefined;
  return grpcStatus === undefined ? status : httpStatusOf(Number(grpcStatus));
}
