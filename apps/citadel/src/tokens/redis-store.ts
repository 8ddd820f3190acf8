import { defineScript, type RedisConnection } from '@flotilla/redis';
import { FlotillaError } from '@flotilla/runtime';
import { decodeRecord, encodeRecord, type TokenRecord } from './token-record.ts';
import type { TokenStore } from './token-store.ts';

/** Hash of id to record, beside what galley keeps. */
const KEY = 'tokens';

/** Arguments: id, the record that is expected (empty: none), the one to put. 1 when it was put. */
const REPLACE = defineScript(`
local found = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if found ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
`);

/** Records in Redis, for several citadels with one token key. The connection stays its owner's. */
export function createRedisTokenStore(connection: RedisConnection): TokenStore {
  const key = connection.key(KEY);
  const decode = (text: string): TokenRecord => {
    const record = decodeRecord(text);
    if (record !== null) return record;
    throw new FlotillaError('invalid', `${key} in Redis holds a record that is not understood`, {
      hint: 'Another program writes there, or a newer Flotilla. Choose another key prefix, or start that one.',
    });
  };
  return {
    async get(id) {
      const found = await connection.call('HGET', key, id);
      return found === null ? null : decode(String(found));
    },
    async replace(before, after) {
      const expected = before === null ? '' : encodeRecord(before);
      return (await connection.run(REPLACE, [key], [after.id, expected, encodeRecord(after)])) === 1;
    },
    count: async () => Number(await connection.call('HLEN', key)),
    async all() {
      const found = await connection.call('HGETALL', key);
      return pairsOf(found).map(([, text]) => decode(text));
    },
    async forget(ids) {
      if (ids.length > 0) await connection.call('HDEL', key, ...ids);
    },
    close: () => Promise.resolve(),
  };
}

/** What HGETALL answers, as a list or as a map, depending on the protocol. */
function pairsOf(answer: unknown): readonly (readonly [string, string])[] {
  if (Array.isArray(answer)) {
    return answer.flatMap((field, index) =>
      index % 2 === 0 ? [[String(field), String(answer[index + 1])] as const] : [],
    );
  }
  return Object.entries(answer ?? {}).map(([field, text]) => [field, String(text)] as const);
}
