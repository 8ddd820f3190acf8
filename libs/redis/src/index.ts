export { redisServiceSettings, redisSettingsOf } from './service-settings.ts';
export {
  DEFAULT_REDIS_SETTINGS,
  redisSettingFaults,
  redisSettings,
  type RedisSettings,
  type RedisTls,
} from './settings.ts';
export {
  openRedis,
  type ConnectionListener,
  type RedisArgument,
  type RedisConnection,
  type RedisConnectionOptions,
} from './connection.ts';
export type { Channel, ChannelListener } from './channel.ts';
export { RedisUnavailableError } from './failures.ts';
export { defineScript, type RedisScript } from './script.ts';
