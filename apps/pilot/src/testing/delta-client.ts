import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import { credentials, type ServiceError } from '@grpc/grpc-js';
import {
  type DeltaDiscoveryResponse,
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
} from '@flotilla/wire/envoy/service/discovery/v3/discovery_pb.js';
import { HEALTH_TYPE_URL, shortNameOf, TYPE_URLS, type XdsShortName } from '@flotilla/xds';
import type { Init } from '@flotilla/translate';
import { type TestClientOptions, TestStream } from './xds-stream.ts';

/** A small delta client: subscribes, takes everything in, and answers at once. */
export class DeltaTestClient {
  readonly resources = new Map<XdsShortName, Map<string, Uint8Array>>();
  /** What it holds, by type and name. */
  readonly contents = this.resources;
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

  /** Says that it goes for good, and ends its half of the stream. */
  leave(): void {
    this.#send({ typeUrl: HEALTH_TYPE_URL, errorDetail: { code: 14, message: 'stopping' } });
    this.#stream.leave();
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
    const refusal =
      this.#options.judge?.(
        type,
        names,
        response.resources.map(({ resource }) => resource?.value ?? new Uint8Array()),
      ) ?? null;
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
