import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  credentials,
  type ServiceError,
} from '@grpc/grpc-js';
import {
  type DeltaDiscoveryResponse,
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  type DiscoveryResponse,
  DiscoveryResponseSchema,
} from '@flotilla/wire/envoy/service/discovery/v3/discovery_pb.js';
import type { NodeSchema } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import type { Init } from '../translate/protobuf.ts';
import { formatAddress, type SocketAddress } from '@flotilla/runtime';
import { shortNameOf, TYPE_URLS, type XdsShortName } from '@flotilla/xds';

const SERVICE = '/envoy.service.discovery.v3.AggregatedDiscoveryService';

export type NodeInit = Init<typeof NodeSchema>;

/** What arrived, in the order of arrival: `CDS +a +b -c`. */
interface Arrival {
  readonly type: XdsShortName;
  readonly text: string;
}

/** The parts in which the two test clients are alike: a stream, what arrived on it, and waiting for more. */
class TestStream<Request extends DescMessage, Response extends DescMessage> {
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
  readonly judge?: (type: XdsShortName, names: readonly string[]) => string | null;
  /** What an earlier stream left, by type. */
  readonly versions?: ReadonlyMap<XdsShortName, ReadonlyMap<string, string>>;
}

/** A small delta client: subscribes, takes everything in, and answers at once. */
export class DeltaTestClient {
  readonly resources = new Map<XdsShortName, Map<string, Uint8Array>>();
  readonly versions: Map<XdsShortName, Map<string, string>>;
  readonly #options: TestClientOptions;
  readonly #stream;
  readonly #asked = new Set<XdsShortName>();
  #isNodeSent = false;

  constructor(options: TestClientOptions) {
    this.#options = options;
    this.versions = new Map([...(options.versions ?? [])].map(([type, held]) => [type, new Map(held)]));
    this.#stream = new TestStream(
      options.address,
      'DeltaAggregatedResources',
      DeltaDiscoveryRequestSchema,
      DeltaDiscoveryResponseSchema,
      options.channel ?? credentials.createInsecure(),
      (response) => this.#take(response),
    );
  }

  /** What arrived since the start, or since `forget`, one line per response. */
  get arrivals(): string[] {
    return this.#stream.arrivals.map((arrival) => arrival.text);
  }

  forget(): void {
    this.#stream.arrivals.length = 0;
  }

  subscribe(type: XdsShortName, ...names: string[]): void {
    const isFirst = !this.#asked.has(type);
    this.#asked.add(type);
    this.#send({
      typeUrl: TYPE_URLS[type],
      resourceNamesSubscribe: names,
      ...(isFirst ? { initialResourceVersions: Object.fromEntries(this.versions.get(type) ?? []) } : {}),
    });
  }

  unsubscribe(type: XdsShortName, ...names: string[]): void {
    this.#send({ typeUrl: TYPE_URLS[type], resourceNamesUnsubscribe: names });
    for (const name of names) this.versions.get(type)?.delete(name);
  }

  until(isTrue: () => boolean, what: string): Promise<void> {
    return this.#stream.until(isTrue, `${what}; so far: ${this.arrivals.join(' | ')}`);
  }

  /** Waits until a resource is there. */
  async has(type: XdsShortName, name: string): Promise<void> {
    await this.until(() => this.resources.get(type)?.has(name) === true, `${type} ${name}`);
  }

  get<Desc extends DescMessage>(type: XdsShortName, name: string, schema: Desc): MessageShape<Desc> {
    const bytes = this.resources.get(type)?.get(name);
    if (bytes === undefined)
      throw new Error(`no ${type} ${name}; ${[...(this.resources.get(type)?.keys() ?? [])].join()}`);
    return fromBinary(schema, bytes);
  }

  end(): Promise<ServiceError | 'closed'> {
    return this.#stream.end();
  }

  close(): void {
    this.#stream.close();
  }

  #send(message: Init<typeof DeltaDiscoveryRequestSchema>): void {
    this.#stream.send({ ...message, ...(this.#isNodeSent ? {} : { node: this.#options.node }) });
    this.#isNodeSent = true;
  }

  #take(response: DeltaDiscoveryResponse): void {
    const type = shortNameOf(response.typeUrl);
    if (type === null) return;
    const names = response.resources.map((resource) => resource.name);
    const changes = [...names.map((name) => `+${name}`), ...response.removedResources.map((name) => `-${name}`)];
    this.#stream.arrivals.push({ type, text: [type, ...changes].join(' ') });
    const refusal = this.#options.judge?.(type, names) ?? null;
    if (refusal === null) {
      const held = this.resources.get(type) ?? new Map<string, Uint8Array>();
      const versions = this.versions.get(type) ?? new Map<string, string>();
      this.resources.set(type, held);
      this.versions.set(type, versions);
      for (const { name, version, resource } of response.resources) {
        held.set(name, resource?.value ?? new Uint8Array());
        versions.set(name, version);
      }
      for (const name of response.removedResources) {
        held.delete(name);
        versions.delete(name);
      }
    }
    this.#send({
      typeUrl: response.typeUrl,
      responseNonce: response.nonce,
      ...(refusal === null ? {} : { errorDetail: { code: 3, message: refusal } }),
    });
  }
}

/** A small state-of-the-world client. */
export class SotwTestClient {
  readonly resources = new Map<XdsShortName, string[]>();
  readonly #options: TestClientOptions;
  readonly #stream;
  readonly #state = new Map<XdsShortName, { names: string[]; nonce: string; version: string }>();
  #isNodeSent = false;

  constructor(options: TestClientOptions) {
    this.#options = options;
    this.#stream = new TestStream(
      options.address,
      'StreamAggregatedResources',
      DiscoveryRequestSchema,
      DiscoveryResponseSchema,
      options.channel ?? credentials.createInsecure(),
      (response) => this.#take(response),
    );
  }

  get arrivals(): string[] {
    return this.#stream.arrivals.map((arrival) => arrival.text);
  }

  forget(): void {
    this.#stream.arrivals.length = 0;
  }

  subscribe(type: XdsShortName, ...names: string[]): void {
    const { nonce = '', version = '' } = this.#state.get(type) ?? {};
    this.#state.set(type, { names, nonce, version });
    this.#request(type, null);
  }

  until(isTrue: () => boolean, what: string): Promise<void> {
    return this.#stream.until(isTrue, `${what}; so far: ${this.arrivals.join(' | ')}`);
  }

  close(): void {
    this.#stream.close();
  }

  #request(type: XdsShortName, refusal: string | null): void {
    const { names = [], nonce = '', version = '' } = this.#state.get(type) ?? {};
    this.#stream.send({
      typeUrl: TYPE_URLS[type],
      resourceNames: names,
      responseNonce: nonce,
      versionInfo: version,
      ...(refusal === null ? {} : { errorDetail: { code: 3, message: refusal } }),
      ...(this.#isNodeSent ? {} : { node: this.#options.node }),
    });
    this.#isNodeSent = true;
  }

  #take(response: DiscoveryResponse): void {
    const type = shortNameOf(response.typeUrl);
    if (type === null) return;
    const names = response.resources.map((resource) => nameOf(resource.value));
    this.#stream.arrivals.push({ type, text: [type, ...names.map((name) => `+${name}`)].join(' ') });
    const refusal = this.#options.judge?.(type, names) ?? null;
    const state = this.#state.get(type) ?? { names: [], nonce: '', version: '' };
    this.#state.set(type, {
      names: state.names,
      nonce: response.nonce,
      version: refusal === null ? response.versionInfo : state.version,
    });
    if (refusal === null) this.resources.set(type, names);
    this.#request(type, refusal);
  }
}

/** Clusters, listeners, routes and load assignments all have their name as field 1, a string. */
function nameOf(bytes: Uint8Array): string {
  if (bytes[0] !== 0x0a) return '';
  const length = bytes[1] ?? 0;
  return Buffer.from(bytes.subarray(2, 2 + length)).toString();
}
