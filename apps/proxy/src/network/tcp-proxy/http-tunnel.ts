import { Duplex } from 'node:stream';
import { HeaderList } from '@flotilla/http-codec';
import type { TcpProxy_TunnelingConfig as TunnelingConfig } from '@flotilla/wire/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js';
import { refuse } from '@flotilla/envoy';
import { compileFormat, compileHeaderEdits, type Surroundings } from '@flotilla/format';
import type { StreamInfo } from '@flotilla/stream';
import type {
  UpstreamCluster,
  UpstreamFailure,
  UpstreamHandler,
  UpstreamHost,
  UpstreamStream,
} from '../../ports/cluster-manager.ts';

/** How a connection goes through the next proxy, as an HTTP request (`tunneling_config`). */
export interface TunnelSettings {
  /** `host:port` that is asked for. */
  readonly target: (info: StreamInfo) => string;
  /** POST to this path instead of CONNECT; null: CONNECT. */
  readonly postPath: string | null;
  readonly edit: ((headers: HeaderList, info: StreamInfo) => void) | null;
}

/** Compiles a `TunnelingConfig`. Throws `invalid`. */
export function compileTunnel(proto: TunnelingConfig, surroundings: Surroundings): TunnelSettings {
  const path = 'tunneling_config';
  if (proto.hostname === '') refuse(`${path}.hostname`, 'is empty');
  if (proto.postPath !== '' && !proto.usePost) refuse(`${path}.post_path`, 'is for use_post only');
  const none = { requestHeadersToRemove: [], responseHeadersToAdd: [], responseHeadersToRemove: [] };
  return {
    target: compileFormat(proto.hostname, surroundings, { absent: '' }),
    postPath: proto.usePost ? proto.postPath || '/' : null,
    edit: compileHeaderEdits({ ...none, requestHeadersToAdd: proto.headersToAdd }, `${path}.`, surroundings).request,
  };
}

/** Told once: the next proxy lets the bytes through, or not. */
export interface TunnelHandler {
  onOpen(tunnel: HttpTunnel): void;
  onFailure(failure: UpstreamFailure, detail: string): void;
}

/** A byte stream inside of an HTTP request. It comes paused. */
export class HttpTunnel extends Duplex implements UpstreamHandler {
  readonly #handler: TunnelHandler;
  #stream: UpstreamStream | null = null;
  #isOpen = false;
  #onWritable: (() => void) | null = null;

  static open(
    cluster: UpstreamCluster,
    host: UpstreamHost,
    settings: TunnelSettings,
    info: StreamInfo,
    handler: TunnelHandler,
  ): HttpTunnel {
    const tunnel = new HttpTunnel(handler);
    const headers = new HeaderList();
    settings.edit?.(headers, info);
    const isPost = settings.postPath !== null;
    tunnel.#stream = cluster.open(
      host,
      {
        method: isPost ? 'POST' : 'CONNECT',
        path: settings.postPath ?? '',
        authority: settings.target(info),
        headers,
        body: isPost ? 'chunked' : 'none',
        upgrade: null,
        scheme: 'http',
        isHttp2: false,
        priority: 'default',
        info,
      },
      tunnel,
    );
    return tunnel;
  }

  private constructor(handler: TunnelHandler) {
    super({ allowHalfOpen: true });
    this.#handler = handler;
    this.pause();
  }

  onConnected(): void {
    // The answer is what counts.
  }

  onInformational(): void {
    // It says nothing of the tunnel.
  }

  onHead(status: number): void {
    if (status >= 200 && status < 300) {
      this.#isOpen = true;
      this.#handler.onOpen(this);
    } else this.#fail('connect-failure', `tunnel_response:${status}`);
  }

  onData(chunk: Buffer): void {
    if (!this.push(chunk)) this.#stream?.pause();
  }

  onEnd(): void {
    this.push(null);
  }

  onFailure(failure: UpstreamFailure, detail: string): void {
    this.#stream = null;
    if (this.#isOpen) this.destroy();
    else this.#fail(failure, detail);
  }

  onDrain(): void {
    const go = this.#onWritable;
    this.#onWritable = null;
    go?.();
  }

  override _read(): void {
    this.#stream?.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    if (this.#stream === null || this.#stream.write(chunk)) done();
    else this.#onWritable = done;
  }

  override _final(done: () => void): void {
    this.#stream?.end(null);
    done();
  }

  override _destroy(_error: Error | null, done: () => void): void {
    this.#stream?.abort();
    this.#stream = null;
    done();
  }

  /** Ends after all that was written is out. */
  destroySoon(): void {
    if (this.writableFinished) this.destroy();
    else this.end(() => this.destroy());
  }

  resetAndDestroy(): void {
    this.destroy();
  }

  #fail(failure: UpstreamFailure, detail: string): void {
    this.#handler.onFailure(failure, detail);
    this.destroy();
  }
}
