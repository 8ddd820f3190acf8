import { defineScript } from '@flotilla/redis';

/**
 * What a mesh keeps in Redis, all under its prefix:
 *
 * ```
 * meta       hash  layout, epoch, version, trimmed (the newest version that `changes` no longer explains), forebears
 * resources  hash  key of the resource -> what `redis-value` writes
 * changes    zset  key of the resource -> version that changed it last; deleted ones too
 * commits    hash  version -> id of the commit that made it, and the times of creation that it kept; the last 1024
 * ```
 */
export const KEY_NAMES = ['meta', 'resources', 'changes', 'commits'] as const;
export const LAYOUT = '1';
/** How many versions back a commit that is sent again is recognised. */
export const COMMIT_MEMORY = 1_024;

// Every script gets the four keys, then the layout that this version knows. Each answers with a verdict, then facts:
//   none               there is no store: nothing was ever written, or all was lost
//   layout <theirs>    another version of Flotilla, or another program, wrote here
const PRELUDE = `
local meta = redis.call('HMGET', KEYS[1], 'layout', 'epoch', 'version', 'trimmed', 'forebears')
if not meta[1] then return {'none'} end
if meta[1] ~= ARGV[1] then return {'layout', meta[1]} end
local epoch, version, trimmed, forebears = meta[2], meta[3], meta[4], meta[5] or ''
`;

/**
 * Makes the store when there is nothing. Further arguments: an epoch for it, or nothing to make none; the epochs of its
 * forebears, with spaces between. `ok`, or `none`, or `type <key> <is> <should be>`, or `unmarked <key>` for data that no marker says to be ours.
 */
export const PREPARE = defineScript(`
local types = {'hash', 'hash', 'zset', 'hash'}
for i, key in ipairs(KEYS) do
  local is = redis.call('TYPE', key).ok
  if is ~= 'none' and is ~= types[i] then return {'type', key, is, types[i]} end
end
local layout = redis.call('HGET', KEYS[1], 'layout')
if layout == ARGV[1] then return {'ok'} end
if layout then return {'layout', layout} end
for _, key in ipairs(KEYS) do
  if redis.call('EXISTS', key) == 1 then return {'unmarked', key} end
end
if ARGV[2] == '' then return {'none'} end
redis.call('HSET', KEYS[1], 'layout', ARGV[1], 'epoch', ARGV[2], 'version', '0', 'trimmed', '0', 'forebears', ARGV[3])
return {'ok'}
`);

/** `at <epoch> <version> <forebears>` */
export const REVISION = defineScript(`${PRELUDE} return {'at', epoch, version, forebears}`);

/**
 * Further arguments: epoch and version that are expected, the version to make, id of the commit, limit of the log, the
 * version whose commit is forgotten; then four for each change: `put` or `delete`, key, time of creation, document.
 * `done <kept>`: this commit was made, now or when it was sent before; `kept` lists `<index of the put>:<time of
 * creation>` for resources that were there before. `conflict <epoch> <version> <other | forgotten>`: it was not made, or,
 * when it was sent before, who made that version is forgotten.
 */
export const COMMIT = defineScript(`${PRELUDE}
local next, id = ARGV[4], ARGV[5]
local made = redis.call('HGET', KEYS[4], next)
if epoch == ARGV[2] and made and string.sub(made, 1, #id) == id then return {'done', string.sub(made, #id + 2)} end
if epoch ~= ARGV[2] or version ~= ARGV[3] then
  return {'conflict', epoch, version, (made or epoch ~= ARGV[2]) and 'other' or 'forgotten'}
end
-- A key of another type has to fail before anything is written: what a script wrote stays.
redis.call('HLEN', KEYS[2])
redis.call('ZCARD', KEYS[3])
local kept, puts = {}, 0
for i = 8, #ARGV, 4 do
  local key = ARGV[i + 1]
  redis.call('ZADD', KEYS[3], next, key)
  if ARGV[i] == 'put' then
    local created = ARGV[i + 2]
    local old = redis.call('HGET', KEYS[2], key)
    local first = old and string.match(old, '^%d+\\n(%d+)\\n')
    if first and first ~= created then
      created = first
      kept[#kept + 1] = puts .. ':' .. first
    end
    redis.call('HSET', KEYS[2], key, next .. '\\n' .. created .. '\\n' .. ARGV[i + 3])
    puts = puts + 1
  else
    redis.call('HDEL', KEYS[2], key)
  end
end
local surplus = redis.call('ZCARD', KEYS[3]) - tonumber(ARGV[6])
if surplus > 0 then
  local through = redis.call('ZRANGE', KEYS[3], surplus - 1, surplus - 1, 'WITHSCORES')[2]
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', through)
  redis.call('HSET', KEYS[1], 'trimmed', through)
end
kept = table.concat(kept, ',')
redis.call('HSET', KEYS[4], next, id .. ' ' .. kept)
redis.call('HDEL', KEYS[4], ARGV[7])
redis.call('HSET', KEYS[1], 'version', next)
return {'done', kept}
`);

/**
 * Some of the changes after a version, by whole versions. Further arguments: epoch and version, about how many.
 * `changes <version of the set> <through which version these go> (<key> <version> <value, empty when deleted>)*`,
 * or `unknown` when the log does not explain that version.
 */
export const CHANGES = defineScript(`${PRELUDE}
local since = tonumber(ARGV[3])
if epoch ~= ARGV[2] or since > tonumber(version) or since < tonumber(trimmed) then return {'unknown'} end
local limit = tonumber(ARGV[4])
local entries = redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. ARGV[3], '+inf', 'WITHSCORES', 'LIMIT', 0, limit)
local through = version
if #entries == limit * 2 then
  local last = entries[#entries]
  if entries[2] == last then
    entries = redis.call('ZRANGEBYSCORE', KEYS[3], last, last, 'WITHSCORES')
  else
    while entries[#entries] == last do
      entries[#entries] = nil
      entries[#entries] = nil
    end
  end
  through = entries[#entries]
end
local answer = {'changes', version, through}
for i = 1, #entries, 2 do
  answer[#answer + 1] = entries[i]
  answer[#answer + 1] = entries[i + 1]
  answer[#answer + 1] = redis.call('HGET', KEYS[2], entries[i]) or ''
end
return answer
`);

/** Everything at once: `all <epoch> <version> (<key> <value>)*`. Redis does nothing else meanwhile. */
export const ALL = defineScript(`${PRELUDE}
local answer = redis.call('HGETALL', KEYS[2])
table.insert(answer, 1, version)
table.insert(answer, 1, epoch)
table.insert(answer, 1, 'all')
return answer
`);
