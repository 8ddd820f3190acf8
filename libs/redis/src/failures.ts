import { FlotillaError } from '@flotilla/runtime';

/**
 * Redis did not do what it was asked. `unavailable` whatever the reason, a refused password included: those who called
 * the service can do nothing about it but try later, while the hint tells the operator.
 */
export class RedisUnavailableError extends FlotillaError {
  /** The command may have been carried out: it went out, and no answer came. */
  readonly mayBeDone: boolean;

  constructor(
    message: string,
    options: { readonly cause?: unknown; readonly hint?: string; readonly mayBeDone?: boolean },
  ) {
    super('unavailable', message, options);
    this.mayBeDone = options.mayBeDone ?? false;
  }
}

interface Reason {
  readonly pattern: RegExp;
  readonly says: string;
  readonly hint: string;
}

// What Redis, Node's TLS and ioredis say, and what it means to an operator.
const REASONS: readonly Reason[] = [
  {
    pattern: /WRONGPASS|invalid password|invalid username-password/i,
    says: 'it refused the user name or the password',
    hint: 'Check the Redis user name and password file against `ACL LIST`.',
  },
  {
    pattern: /NOAUTH|no password is set|without any password configured/i,
    says: 'it asks for a password that was not given, or was given one that it does not have',
    hint: 'Name the Redis password file, and the user name when it is not the default user.',
  },
  {
    pattern: /NOPERM|user executing the script can't/,
    says: 'its ACL does not let this user do that',
    hint: "Give the user the rights that the README of libs/redis lists, for this mesh's key prefix.",
  },
  {
    pattern: /self.signed|signature failure|unable to (get|verify)|certificate has expired|CERT_|altnames/i,
    says: 'its certificate is not trusted',
    hint: 'Name the CA that signed it in the Redis TLS CA file, and reach it by a name that the certificate has.',
  },
  {
    pattern: /alert (handshake|certificate|unknown|bad)|certificate required/i,
    says: 'it refused the TLS handshake',
    hint: 'Redis asks for client certificates: name a certificate and key that its CA signed (or set tls-auth-clients).',
  },
  {
    pattern: /wrong version number|packet length too long|EPROTO/i,
    says: 'it does not speak TLS on that port',
    hint: 'Use the TLS port of Redis, or redis:// for plaintext.',
  },
  {
    pattern: /LOADING/,
    says: 'it is still loading its data',
    hint: 'It answers when that is done.',
  },
  {
    pattern: /READONLY/,
    says: 'it is a replica, which takes no writes',
    hint: 'Name the master, or use Sentinel or Cluster settings, which follow a failover.',
  },
  {
    pattern: /\bOOM\b/,
    says: 'it has no memory left',
    hint: 'Raise maxmemory. The policy must be noeviction: evicted configuration is lost.',
  },
  {
    pattern: /MISCONF|NOREPLICAS/,
    says: 'it takes no writes because it could not keep them',
    hint: 'Look at the log of Redis: a full disk, or missing replicas.',
  },
  {
    pattern: /CLUSTERDOWN|MASTERDOWN|ClusterAllFailed|Failed to refresh slots/i,
    says: 'its cluster does not serve now',
    hint: 'Look at `CLUSTER INFO`: all slots must be covered.',
  },
  {
    pattern: /cluster support disabled/i,
    says: 'it is no Cluster',
    hint: 'Leave the Cluster setting out, and name it by its URL.',
  },
  {
    pattern: /MOVED|CROSSSLOT/,
    says: 'it is a node of a Cluster',
    hint: 'Name its nodes in the Cluster setting.',
  },
  {
    pattern: /sentinels are unreachable/i,
    says: 'no Sentinel tells where the master is',
    hint: 'Check the addresses and the password of the Sentinels, and the name of the master.',
  },
  {
    pattern: /select index|index is out of range|DB index/i,
    says: 'it has no such database',
    hint: 'Use database 0, or raise `databases` in redis.conf.',
  },
];

const DEFAULT_HINT = 'Check that it runs, and that its address is right and can be reached from here.';

export interface Explanation {
  /** What is wrong, as the end of a sentence. */
  readonly reason: string;
  readonly hint: string;
}

/** What a failure of a client means. Carries no secrets: neither Redis nor ioredis repeats them in messages. */
export function explain(thrown: unknown): Explanation {
  const text = deepestMessage(thrown);
  const known = REASONS.find(({ pattern }) => pattern.test(text));
  return known === undefined
    ? { reason: text, hint: DEFAULT_HINT }
    : { reason: `${known.says} (${text})`, hint: known.hint };
}

/** A Cluster says that all nodes failed, and carries the last one's own words. */
function deepestMessage(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const last: unknown = 'lastNodeError' in thrown ? thrown.lastNodeError : undefined;
  if (last instanceof Error) return deepestMessage(last);
  if (thrown.message !== '') return thrown.message.replace(/\.$/, '');
  // Of an AggregateError, which Node throws when every address of a host refused.
  return 'errors' in thrown && Array.isArray(thrown.errors)
    ? thrown.errors.map(deepestMessage).join(', ')
    : thrown.name;
}
