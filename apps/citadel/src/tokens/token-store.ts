import type { TokenRecord } from './token-record.ts';

/** Where records of tokens are kept. Everything may throw `unavailable` or `system` when that cannot be reached or written. */
export interface TokenStore {
  get(id: string): Promise<TokenRecord | null>;
  /**
   * Puts `after` in the place of `before`, which `get` gave, and resolves with `true` once it outlives a crash; with
   * `false`, and nothing changed, when somebody else was faster.
   */
  replace(before: TokenRecord | null, after: TokenRecord): Promise<boolean>;
  count(): Promise<number>;
  all(): Promise<readonly TokenRecord[]>;
  forget(ids: readonly string[]): Promise<void>;
  close(): Promise<void>;
}
