import { FlotillaError } from '@flotilla/runtime';
import * as settings from '@flotilla/service/settings';
import { type RedisSettings, redisSettings } from './settings.ts';

/** Where Redis is, as the services are told it. */
export const redisServiceSettings = {
  redisUrl: settings.optional(
    settings.url({ description: 'Redis; rediss:// for TLS', form: 'redis://host:port/database' }),
  ),
  redisUsername: settings.optional(settings.text({ description: 'ACL user of Redis', form: 'name' })),
  redisPasswordFile: settings.optional(settings.secretFile({ description: 'password for Redis' })),
  redisKeyPrefix: settings.text({
    description: 'begins every key and channel, in braces, so that meshes can share a Redis',
    form: 'name',
    standard: 'flotilla',
  }),
  redisTlsCaFile: settings.optional(settings.fileContent({ description: 'roots that Redis is verified with' })),
  redisTlsCertificateFile: settings.optional(settings.fileContent({ description: 'certificate to show to Redis' })),
  redisTlsKeyFile: settings.optional(settings.secretFile({ description: 'key of --redis-tls-certificate-file' })),
  redisSentinels: settings.list(settings.address({ description: 'Sentinel that knows where the master is' })),
  redisSentinelName: settings.optional(
    settings.text({ description: 'name of the master that the Sentinels watch', form: 'name' }),
  ),
  redisSentinelPasswordFile: settings.optional(settings.secretFile({ description: 'password for the Sentinels' })),
  redisCluster: settings.list(settings.address({ description: 'some node of a Redis Cluster' })),
};

type Values = settings.SettingsOf<typeof redisServiceSettings>;

/** The settings of the connection; null when no Redis is named. Throws `usage` with every fault. */
export function redisSettingsOf(values: Values): RedisSettings | null {
  const { redisUrl, redisSentinels, redisCluster } = values;
  if (redisUrl === null && redisSentinels.length === 0 && redisCluster.length === 0) return null;
  try {
    return redisSettings({
      ...(redisUrl === null ? {} : { url: redisUrl }),
      username: values.redisUsername,
      password: values.redisPasswordFile,
      keyPrefix: values.redisKeyPrefix,
      tls: {
        ca: values.redisTlsCaFile,
        certificate: values.redisTlsCertificateFile,
        key: values.redisTlsKeyFile,
      },
      sentinels: redisSentinels,
      sentinelName: values.redisSentinelName,
      sentinelPassword: values.redisSentinelPasswordFile,
      cluster: redisCluster,
    });
  } catch (error) {
    throw new FlotillaError('usage', FlotillaError.from(error).message, { cause: error });
  }
}
