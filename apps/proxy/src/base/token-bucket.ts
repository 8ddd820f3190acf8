import { durationMs } from '@bufbuild/protobuf/wkt';
import type { Clock } from '@flotilla/runtime';
import type { TokenBucket as TokenBucketProto } from '@flotilla/wire/envoy/type/v3/token_bucket_pb.js';
import { refuse } from '@flotilla/envoy';

export interface TokenBucketSettings {
  readonly maxTokens: number;
  readonly tokensPerMs: number;
}

/** Shortest time in which Envoy fills a local bucket. */
const MIN_FILL_INTERVAL_MS = 50;

/** Compiles a `TokenBucket`. Throws `invalid`. */
export function compileTokenBucket(proto: TokenBucketProto, path: string): TokenBucketSettings {
  const intervalMs = proto.fillInterval === undefined ? 0 : durationMs(proto.fillInterval);
  if (proto.maxTokens === 0) refuse(`${path}.max_tokens`, 'is 0');
  if (intervalMs < MIN_FILL_INTERVAL_MS) {
    refuse(`${path}.fill_interval`, `is ${intervalMs} ms, less than ${MIN_FILL_INTERVAL_MS} ms`);
  }
  return { maxTokens: proto.maxTokens, tokensPerMs: (proto.tokensPerFill ?? 1) / intervalMs };
}

/** Tokens that come back at an even rate; full at first. */
export class TokenBucket {
  readonly maxTokens: number;
  readonly #tokensPerMs: number;
  readonly #clock: Clock;
  #tokens: number;
  #atMs: number;

  constructor(settings: TokenBucketSettings, clock: Clock) {
    this.maxTokens = settings.maxTokens;
    this.#tokensPerMs = settings.tokensPerMs;
    this.#clock = clock;
    this.#tokens = settings.maxTokens;
    this.#atMs = clock.monotonicMs();
  }

  /** Tokens that come back in a millisecond. */
  get rate(): number {
    return this.#tokensPerMs;
  }

  /** Takes so many tokens; false, and none are taken, when there are fewer. */
  take(tokens: number): boolean {
    this.#fill();
    if (this.#tokens < tokens) return false;
    this.#tokens -= tokens;
    return true;
  }

  /** Whole tokens that are left. */
  get remaining(): number {
    this.#fill();
    return Math.floor(this.#tokens);
  }

  /** Milliseconds until the next whole token; 0 when one is there. */
  get nextTokenMs(): number {
    this.#fill();
    return this.#tokens >= 1 ? 0 : (1 - this.#tokens) / this.#tokensPerMs;
  }

  #fill(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#tokens = Math.min(this.maxTokens, this.#tokens + (nowMs - this.#atMs) * this.#tokensPerMs);
    this.#atMs = nowMs;
  }
}
