import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { DeltaDiscoveryRequestSchema } from '@flotilla/wire/envoy/service/discovery/v3/discovery_pb.js';
import { shortNameOf, TYPE_URLS, type XdsShortName } from '@flotilla/xds';
import { readResponse, type ResponseHead } from './response.ts';
import { nodeOf, ROUTES } from './world.ts';

/** As long as a gRPC client waits for the settings of a server. */
const SETTINGS_MS = 20_000;
const RETRY_MS = 1_000;
const WINDOW = 16 * 1024 * 1024;
const PATH = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';

/** A proxy as far as xDS sees it: it asks for what Envoy asks for, takes everything, and keeps names only. */
export class LoadProxy {
  readonly #port: number;
  readonly #node: ReturnType<typeof nodeOf>;
  readonly #onResponse: (response: ResponseHead) => void;
  readonly #held = { CDS: new Set<string>(), EDS: new Set<string>(), LDS: new Set<string>(), RDS: new Set<string>() };
  #wanted = new Set<string>();
  #session: ClientHttp2Session | null = null;
  #stream: ClientHttp2Stream | null = null;
  #settings: NodeJS.Timeout | null = null;
  #buffered: Buffer[] = [];
  #bufferedBytes = 0;
  #isClosed = false;
  /** Bytes of messages that came. */
  bytes = 0;
  /** Connections that were lost, or never came about. */
  lost = 0;

  constructor(port: number, proxy: number, services: number, onResponse: (response: ResponseHead) => void) {
    this.#port = port;
    this.#node = nodeOf(proxy, services);
    this.#onResponse = onResponse;
  }

  open(): void {
    const session = connect(`http://127.0.0.1:${this.#port}`, { settings: { initialWindowSize: WINDOW } });
    this.#session = session;
    session.on('connect', () => session.setLocalWindowSize(WINDOW));
    this.#settings = setTimeout(() => this.#again(), SETTINGS_MS);
    session.once('remoteSettings', () => clearTimeout(this.#settings ?? undefined));
    session.on('error', () => this.#again());
    session.on('close', () => this.#again());
    const stream = session.request({
      ':method': 'POST',
      ':path': PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    this.#stream = stream;
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    stream.on('error', () => this.#again());
    stream.on('close', () => this.#again());
    this.#send({
      typeUrl: TYPE_URLS.CDS,
      node: this.#node,
    });
    this.#send({ typeUrl: TYPE_URLS.LDS });
  }

  /** It holds all clusters and listeners, and the endpoints and routes that these ask for. */
  get isSynced(): boolean {
    const { CDS, EDS, LDS, RDS } = this.#held;
    return CDS.size > 0 && LDS.size > 0 && RDS.has(ROUTES) && this.#wanted.size > 0 && EDS.size >= this.#wanted.size;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#settings ?? undefined);
    this.#session?.destroy();
  }

  /** Connects anew after a while, holding nothing. */
  #again(): void {
    const session = this.#session;
    if (this.#isClosed || session === null) return;
    this.#session = null;
    this.#stream = null;
    clearTimeout(this.#settings ?? undefined);
    session.destroy();
    this.lost += 1;
    this.#buffered = [];
    this.#bufferedBytes = 0;
    for (const held of Object.values(this.#held)) held.clear();
    this.#wanted = new Set();
    setTimeout(() => {
      if (!this.#isClosed) this.open();
    }, RETRY_MS);
  }

  #receive(chunk: Buffer): void {
    this.#buffered.push(chunk);
    this.#bufferedBytes += chunk.length;
    while (this.#bufferedBytes >= 5) {
      if ((this.#buffered[0]?.length ?? 0) < 5) this.#buffered = [Buffer.concat(this.#buffered)];
      const end = 5 + (this.#buffered[0]?.readUInt32BE(1) ?? 0);
      if (this.#bufferedBytes < end) return;
      const all = this.#buffered.length === 1 ? this.#buffered[0] : Buffer.concat(this.#buffered);
      if (all === undefined) return;
      this.bytes += end;
      this.#buffered = all.length === end ? [] : [all.subarray(end)];
      this.#bufferedBytes = all.length - end;
      this.#take(readResponse(all.subarray(5, end)));
    }
  }

  #take(response: ResponseHead): void {
    const type = shortNameOf(response.typeUrl);
    this.#send({ typeUrl: response.typeUrl, responseNonce: response.nonce });
    if (type === 'CDS' || type === 'EDS' || type === 'LDS' || type === 'RDS') {
      for (const name of response.names) this.#held[type].add(name);
      for (const name of response.removed) this.#held[type].delete(name);
      this.#subscribe(type, response);
    }
    this.#onResponse(response);
  }

  /** Every cluster that is named after a service has its endpoints from discovery. */
  #subscribe(type: XdsShortName, { names }: ResponseHead): void {
    if (type === 'CDS') {
      const fresh = names.filter((name) => name.startsWith('outbound|') && !this.#wanted.has(name));
      for (const name of fresh) this.#wanted.add(name);
      if (fresh.length > 0) this.#send({ typeUrl: TYPE_URLS.EDS, resourceNamesSubscribe: fresh });
    }
    if (type === 'LDS' && !this.#held.RDS.has(ROUTES)) {
      this.#send({ typeUrl: TYPE_URLS.RDS, resourceNamesSubscribe: [ROUTES] });
    }
  }

  #send(request: MessageInitShape<typeof DeltaDiscoveryRequestSchema>): void {
    const message = toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, request));
    const frame = Buffer.alloc(5 + message.length);
    frame.writeUInt32BE(message.length, 1);
    frame.set(message, 5);
    this.#stream?.write(frame);
  }
}
