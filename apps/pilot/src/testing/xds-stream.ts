import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { type ChannelCredentials, Client, type ClientDuplexStream, type ServiceError } from '@grpc/grpc-js';
import { formatAddress, type SocketAddress } from '@flotilla/runtime';
import type { XdsShortName } from '@flotilla/xds';
import type { NodeInit } from '@flotilla/translate/testing';

const SERVICE = '/envoy.service.discovery.v3.AggregatedDiscoveryService';

/** What arrived, in the order of arrival: `CDS +a +b -c`. */
interface Arrival {
  readonly type: XdsShortName;
  readonly text: string;
}

/** The parts in which the two test clients are alike: a stream, what arrived on it, and waiting for more. */
export class TestStream<Request extends DescMessage, Response extends DescMessage> {
  readonly arrivals: Arrival[] = [];
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<MessageInitShape<Request>, MessageShape<Response>>;
  readonly #waiting = new Set<() => void>();
  ended: ServiceError | 'closed' | null = null;

  constructor(
    address: SocketAddress,
    method: string,
    request: Request,
    response: Response,
    channel: ChannelCredentials,
    onResponse: (response: MessageShape<Response>) => void,
  ) {
    this.#client = new Client(formatAddress(address), channel, {
      'grpc.max_receive_message_length': -1,
      // TLS has no server name for an IP address.
      'grpc.ssl_target_name_override': 'localhost',
    });
    this.#stream = this.#client.makeBidiStreamRequest(
      `${SERVICE}/${method}`,
      (message: MessageInitShape<Request>) => Buffer.from(toBinary(request, create(request, message))),
      (bytes) => fromBinary(response, bytes),
    );
    this.#stream.on('data', (message: MessageShape<Response>) => {
      onResponse(message);
      this.#notify();
    });
    this.#stream.on('error', (error: ServiceError) => {
      this.ended = error;
      this.#notify();
    });
    this.#stream.on('end', () => {
      this.ended ??= 'closed';
      this.#notify();
    });
  }

  send(message: MessageInitShape<Request>): void {
    this.#stream.write(message);
  }

  /** Resolves when `isTrue` does; rejects when the stream ends before. */
  async until(isTrue: () => boolean, what: string): Promise<void> {
    while (!isTrue()) {
      if (this.ended !== null) throw new Error(`${what}: the stream ended: ${String(this.ended)}`);
      await this.#next();
    }
  }

  /** Resolves with the error that ends the stream. */
  async end(): Promise<ServiceError | 'closed'> {
    while (this.ended === null) await this.#next();
    return this.ended;
  }

  /** Ends this half of the stream. */
  leave(): void {
    this.#stream.end();
  }

  close(): void {
    this.#stream.cancel();
    this.#client.close();
  }

  #next(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const once = () => {
      this.#waiting.delete(once);
      resolve();
    };
    this.#waiting.add(once);
    return promise;
  }

  #notify(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}

export interface TestClientOptions {
  readonly address: SocketAddress;
  readonly node: NodeInit;
  readonly channel?: ChannelCredentials;
  /** Reason for which a response is refused, `null` to take it. */
  readonly judge?: (type: XdsShortName, names: readonly string[], contents: readonly Uint8Array[]) => string | null;
  /** What an earlier stream left, by type. */
  readonly versions?: ReadonlyMap<XdsShortName, ReadonlyMap<string, string>>;
}
