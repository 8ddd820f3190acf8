import { createHash } from 'node:crypto';

/** A Lua script, which Redis carries out at once and alone. Its keys are given apart from its arguments. */
export interface RedisScript {
  readonly lua: string;
  /** What Redis calls it by once it was sent. */
  readonly sha1: string;
}

export function defineScript(lua: string): RedisScript {
  return Object.freeze({ lua, sha1: createHash('sha1').update(lua).digest('hex') });
}
