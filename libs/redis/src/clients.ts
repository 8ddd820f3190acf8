import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { formatAddress, type SocketAddress } from '@flotilla/runtime';
import { databaseOf, type RedisSettings } from './settings.ts';

/** One attempt at a connection each: neither client reconnects by itself, which is `KeptClient`'s work. */
export interface Clients {
  /** Where they go, for messages; without credentials. */
  readonly target: string;
  /** For commands. */
  command(): Redis | Cluster;
  /** For subscriptions; of a Cluster another node each time, since what one node is told all nodes tell. */
  subscriber(): Redis;
}

const CONNECT_TIMEOUT_MS = 5_000;
// A peer that takes a command and says nothing for so long is given up: a broken path is not always told.
const SILENCE_TIMEOUT_MS = 10_000;

/** Translates settings into clients of ioredis. */
export function clientsFor(settings: RedisSettings): Clients {
  const url = new URL(settings.url);
  const common = commonOptions(settings, url);
  if (settings.cluster.length > 0) return clusterClients(settings.cluster, common);
  if (settings.sentinels.length > 0) return sentinelClients(settings, url, common);
  const address = { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(url.port || '6379') };
  const open = (): Redis => new Redis({ ...common, ...address, db: databaseOf(url) });
  return { target: `Redis at ${formatAddress(address)}`, command: open, subscriber: open };
}

function commonOptions({ username, password, tls }: RedisSettings, url: URL): RedisOptions {
  const user = username ?? decodeURIComponent(url.username);
  const secret = password ?? decodeURIComponent(url.password);
  return {
    lazyConnect: true,
    protocol: 2,
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SILENCE_TIMEOUT_MS,
    // What cannot be sent now fails now, and so does what was sent and lost its connection: the caller decides.
    enableOfflineQueue: false,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    autoResubscribe: false,
    // A Redis that is loading its data says when it may be ready in whole seconds.
    maxLoadingRetryTime: 100,
    // After a failover the old master stays reachable as a replica: leave it.
    reconnectOnError: (error) => /^READONLY/.test(error.message),
    disableClientInfo: true,
    ...(user === '' ? {} : { username: user }),
    ...(secret === '' ? {} : { password: secret }),
    ...(url.protocol === 'rediss:' ? { tls: tlsOptions(tls) } : {}),
  };
}

function tlsOptions({ ca, certificate, key }: RedisSettings['tls']): NonNullable<RedisOptions['tls']> {
  return {
    minVersion: 'TLSv1.2',
    ...(ca === null ? {} : { ca }),
    ...(certificate === null ? {} : { cert: certificate }),
    ...(key === null ? {} : { key }),
  };
}

function sentinelClients(settings: RedisSettings, url: URL, common: RedisOptions): Clients {
  const { sentinels, sentinelName, sentinelPassword } = settings;
  const name = sentinelName ?? '';
  const open = (): Redis =>
    new Redis({
      ...common,
      db: databaseOf(url),
      name,
      sentinels: sentinels.map((address) => ({ ...address })),
      sentinelRetryStrategy: () => null,
      sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
      // Those that are named are asked, and no others: the list would outlive a settings change.
      updateSentinels: false,
      ...(sentinelPassword === null ? {} : { sentinelPassword }),
      ...(common.tls === undefined ? {} : { enableTLSForSentinelMode: true, sentinelTLS: common.tls }),
    });
  const target = `Redis master ${name} of Sentinel ${sentinels.map(formatAddress).join(', ')}`;
  return { target, command: open, subscriber: open };
}

function clusterClients(nodes: readonly SocketAddress[], common: RedisOptions): Clients {
  // Set for the Cluster as a whole, and not allowed for its nodes.
  const { enableOfflineQueue, retryStrategy: _retryStrategy, ...redisOptions } = common;
  let next = 0;
  return {
    target: `Redis Cluster at ${nodes.map(formatAddress).join(', ')}`,
    command: () =>
      new Cluster(
        nodes.map((address) => ({ ...address })),
        {
          lazyConnect: true,
          clusterRetryStrategy: () => null,
          // Names are resolved by the connection itself: TLS has to know them.
          dnsLookup: (host, callback) => callback(null, host),
          ...(enableOfflineQueue === undefined ? {} : { enableOfflineQueue }),
          redisOptions,
        },
      ),
    subscriber: () => new Redis({ ...common, ...nodes[next++ % nodes.length] }),
  };
}
