import { FlotillaError, type SocketAddress } from '@flotilla/runtime';

/** Where Redis is and how to reach it. Plain data, frozen by `redisSettings`; secrets stand in it, so it is never logged. */
export interface RedisSettings {
  /**
   * `redis://[user:password@]host:port/database`, or `rediss://` for TLS. With Sentinel or Cluster only scheme,
   * credentials and database count.
   */
  readonly url: string;
  /** ACL user; wins over the URL's. `null`: the URL's, else Redis's default user. */
  readonly username: string | null;
  /** Wins over the URL's. */
  readonly password: string | null;
  /** Every key and channel of a mesh begins with `{<prefix>}:`, so that all lie in one slot of a Cluster. */
  readonly keyPrefix: string;
  readonly tls: RedisTls;
  /** Empty: no Sentinel. */
  readonly sentinels: readonly SocketAddress[];
  /** The name of the watched master; needed with Sentinel. */
  readonly sentinelName: string | null;
  readonly sentinelPassword: string | null;
  /** Some nodes of a Cluster, from which the others are found. Empty: no Cluster. */
  readonly cluster: readonly SocketAddress[];
}

/** PEM texts. Count with `rediss://` only. */
export interface RedisTls {
  /** Whose certificates are accepted. `null`: those that Node accepts. */
  readonly ca: string | null;
  /** What this side shows; needs the key. */
  readonly certificate: string | null;
  readonly key: string | null;
}

export const DEFAULT_REDIS_SETTINGS: RedisSettings = Object.freeze({
  url: 'redis://127.0.0.1:6379/0',
  username: null,
  password: null,
  keyPrefix: 'flotilla',
  tls: Object.freeze({ ca: null, certificate: null, key: null }),
  sentinels: Object.freeze([]),
  sentinelName: null,
  sentinelPassword: null,
  cluster: Object.freeze([]),
});

/** Completes settings with the defaults and freezes them. Throws `invalid` with every fault there is. */
export function redisSettings(given: Partial<RedisSettings>): RedisSettings {
  const settings = Object.freeze({
    ...DEFAULT_REDIS_SETTINGS,
    ...given,
    tls: Object.freeze({ ...DEFAULT_REDIS_SETTINGS.tls, ...given.tls }),
  });
  const faults = redisSettingFaults(settings);
  if (faults.length > 0)
    throw new FlotillaError('invalid', `the settings for Redis cannot be used: ${faults.join('; ')}`);
  return settings;
}

/** Every reason why settings cannot be used, for who collects the faults of all settings. None shows a secret. */
export function redisSettingFaults(settings: RedisSettings): readonly string[] {
  const { tls, sentinels, sentinelName, cluster, keyPrefix } = settings;
  const url = URL.canParse(settings.url) ? new URL(settings.url) : null;
  const isTls = url?.protocol === 'rediss:';
  const namesHost = sentinels.length === 0 && cluster.length === 0;
  const rules: readonly (readonly [isFault: boolean, message: string])[] = [
    [
      url === null || !['redis:', 'rediss:'].includes(url.protocol),
      'the URL is not one: write redis://host:port/0, or rediss://host:port/0 for TLS',
    ],
    [url !== null && namesHost && url.hostname === '', 'the URL names no host'],
    [url !== null && !/^(\/\d*)?$/.test(url.pathname), 'the path of the URL is not the number of a database'],
    [url !== null && cluster.length > 0 && databaseOf(url) !== 0, 'a Cluster has database 0 only'],
    [sentinels.length > 0 && cluster.length > 0, 'Sentinel and Cluster exclude each other'],
    [sentinels.length > 0 && !sentinelName, 'with Sentinel the name of the watched master is needed'],
    [sentinels.length === 0 && sentinelName !== null, 'the name of a watched master is given, and no Sentinel'],
    [(tls.certificate === null) !== (tls.key === null), 'a TLS certificate and its key go together'],
    [
      url !== null && !isTls && (tls.ca !== null || tls.certificate !== null),
      'TLS files are given, and the URL says redis://, which is plaintext: write rediss://',
    ],
    [!/^[A-Za-z0-9._:-]{1,64}$/.test(keyPrefix), 'the key prefix is not 1 to 64 letters, digits, ".", "_", ":" or "-"'],
  ];
  return rules.flatMap(([isFault, message]) => (isFault ? [message] : []));
}

/** The database that a URL of Redis names. */
export function databaseOf(url: URL): number {
  return Number(url.pathname.slice(1) || '0');
}
