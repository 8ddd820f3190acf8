import { credentials } from '@grpc/grpc-js';
import {
  DiscoveryRequestSchema,
  type DiscoveryResponse,
  DiscoveryResponseSchema,
} from '@flotilla/wire/envoy/service/discovery/v3/discovery_pb.js';
import { shortNameOf, TYPE_URLS, type XdsShortName } from '@flotilla/xds';
import { type TestClientOptions, TestStream } from './xds-stream.ts';

/** A small state-of-the-world client. */
export class SotwTestClient {
  readonly resources = new Map<XdsShortName, string[]>();
  /** What it holds, by type and name. */
  readonly contents = new Map<XdsShortName, Map<string, Uint8Array>>();
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
    const refusal =
      this.#options.judge?.(
        type,
        names,
        response.resources.map(({ value }) => value),
      ) ?? null;
    const state = this.#state.get(type) ?? { names: [], nonce: '', version: '' };
    this.#state.set(type, {
      names: state.names,
      nonce: response.nonce,
      version: refusal === null ? response.versionInfo : state.version,
    });
    if (refusal === null) {
      this.resources.set(type, names);
      const held = this.contents.get(type) ?? new Map<string, Uint8Array>();
      this.contents.set(type, held);
      for (const { value } of response.resources) held.set(nameOf(value), value);
    }
    this.#request(type, refusal);
  }
}

/** Clusters, listeners, routes and load assignments all have their name as field 1, a string. */
function nameOf(bytes: Uint8Array): string {
  if (bytes[0] !== 0x0a) return '';
  const length = bytes[1] ?? 0;
  return Buffer.from(bytes.subarray(2, 2 + length)).toString();
}
