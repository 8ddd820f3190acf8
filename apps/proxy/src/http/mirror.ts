import type { HeaderList } from '@flotilla/http-codec';
import type { ProxyContext } from '../ports/context.ts';
import type {
  PickContext,
  UpstreamCluster,
  UpstreamFailure,
  UpstreamHandler,
  UpstreamStream,
} from '../ports/cluster-manager.ts';
import type { Order } from './order.ts';
import { localAddress } from '../base/local-address.ts';
import type { MirrorPolicy } from '@flotilla/route';

/**
 * Copies of a request that go to other clusters; what they answer is thrown away. The body is shared, chunk by chunk:
 * a copy whose upstream reads more slowly than the bound allows is given up rather than slowing the request.
 */
export class Mirrors {
  readonly #copies: Copy[];

  /** Null when chance or configuration decided for none. */
  static open(order: Order, ctx: ProxyContext, pick: PickContext, limitBytes: number): Mirrors | null {
    const copies: Copy[] = [];
    for (const policy of order.action.mirrors) {
      if (policy.fraction < 1 && ctx.random() >= policy.fraction) continue;
      const copy = openCopy(policy, order, ctx, pick, limitBytes);
      if (copy !== null) copies.push(copy);
    }
    return copies.length === 0 ? null : new Mirrors(copies);
  }

  constructor(copies: Copy[]) {
    this.#copies = copies;
  }

  write(chunk: Buffer): void {
    for (const copy of this.#copies) copy.write(chunk);
  }

  end(trailers: HeaderList | null): void {
    for (const copy of this.#copies) copy.end(trailers);
  }

  /** The request itself broke off before its end; complete copies go on. */
  abort(): void {
    for (const copy of this.#copies) copy.abortUnlessComplete();
  }
}

function openCopy(
  policy: MirrorPolicy,
  order: Order,
  ctx: ProxyContext,
  pick: PickContext,
  limitBytes: number,
): Copy | null {
  const cluster = ctx.clusters.get(policy.cluster || (order.headers.get(policy.clusterHeader) ?? ''));
  const host = cluster?.pick(pick) ?? null;
  if (cluster === null || host === null) return null;
  const headers = order.headers.clone();
  headers.set('x-envoy-internal', 'true');
  const forwarded = headers.getCombined('x-forwarded-for');
  headers.set('x-forwarded-for', forwarded === undefined ? localAddress() : `${forwarded},${localAddress()}`);
  const copy = new Copy(cluster, limitBytes);
  copy.stream = cluster.open(
    host,
    {
      method: order.method,
      path: order.path,
      authority: policy.appendShadowSuffix ? shadowAuthority(order.authority) : order.authority,
      headers,
      body: order.body,
      scheme: order.scheme,
      upgrade: null,
      isHttp2: order.isHttp2,
      priority: order.action.priority,
      info: null,
    },
    copy,
  );
  return copy;
}

/** `a:80` becomes `a-shadow:80`. */
function shadowAuthority(authority: string): string {
  const match = /^(.*?)(:\d+)?$/.exec(authority);
  return `${match?.[1] ?? authority}-shadow${match?.[2] ?? ''}`;
}

class Copy implements UpstreamHandler {
  readonly borrowsData = true;
  stream: UpstreamStream | null = null;
  readonly #cluster: UpstreamCluster;
  readonly #limitBytes: number;
  #blockedBytes = 0;
  #isBlocked = false;
  #isComplete = false;
  #hasHead = false;

  constructor(cluster: UpstreamCluster, limitBytes: number) {
    this.#cluster = cluster;
    this.#limitBytes = limitBytes;
  }

  write(chunk: Buffer): void {
    if (this.stream === null) return;
    if (this.#isBlocked) {
      this.#blockedBytes += chunk.length;
      if (this.#blockedBytes > this.#limitBytes) {
        this.stream.abort();
        this.stream = null;
        return;
      }
    }
    if (!this.stream.write(chunk)) this.#isBlocked = true;
  }

  end(trailers: HeaderList | null): void {
    this.#isComplete = true;
    this.stream?.end(trailers);
  }

  abortUnlessComplete(): void {
    if (this.#isComplete) return;
    this.stream?.abort();
    this.stream = null;
  }

  onDrain(): void {
    this.#isBlocked = false;
    this.#blockedBytes = 0;
  }

  onHead(status: number): void {
    this.#hasHead = true;
    this.#cluster.countResponse(status, false);
  }

  onFailure(failure: UpstreamFailure): void {
    this.stream = null;
    if (!this.#hasHead) this.#cluster.countResponse(failure === 'protocol-error' ? 502 : 503, false);
  }

  onEnd(): void {
    this.stream = null;
  }

  onConnected(): void {}
  onInformational(): void {}
  onData(): void {}
}
