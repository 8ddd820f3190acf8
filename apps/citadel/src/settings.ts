import { redisServiceSettings } from '@flotilla/redis';
import { beginAnewSetting, spiffeIdSetting, trustDomainSetting } from '@flotilla/service';
import * as settings from '@flotilla/service/settings';
import { FlotillaError } from '@flotilla/runtime';
import { openInventory } from '@flotilla/runtime/disk';
import type { KeySource } from './keystore/key-source.ts';
import type { TokenStore } from './tokens/token-store.ts';

/** What `citadel` is told when it starts. */
export const citadelSettings = {
  listen: settings.address({ description: 'certificates and tokens, over TLS', standard: '0.0.0.0:8060' }),
  trustDomain: trustDomainSetting,
  data: settings.optional(
    settings.path({
      description: 'keep root, token key and what became of tokens here, made at the first start; of one citadel alone',
      form: 'directory',
    }),
  ),
  rootCertificateFile: settings.optional(
    settings.fileContent({ description: "in place of --data: the root's certificate, the same for every replica" }),
  ),
  rootKeyFile: settings.optional(settings.secretFile({ description: 'private key of --root-certificate-file' })),
  tokenKeyFile: settings.optional(settings.secretFile({ description: 'private key that signs bootstrap tokens' })),
  tokenState: settings.optional(
    settings.path({
      description: 'keep what became of tokens here, for one citadel whose keys are given and that has no Redis',
      form: 'directory',
    }),
  ),
  ...redisServiceSettings,
  beginAnew: beginAnewSetting,
  maxCertificateTtl: settings.duration({ description: 'longest lifetime of a certificate', standard: '24h' }),
  adminTokenFile: settings.optional(
    settings.secretFile({ description: 'token that lets its bearer make, list and revoke bootstrap tokens' }),
  ),
  admins: settings.list(spiffeIdSetting('identity that may make, list and revoke bootstrap tokens')),
};

/**
 * Where the keys come from. `openStore` opens where it is remembered what became of tokens, for keys that are given;
 * `null` where no such place is named. Throws `usage` when the settings name no keys, two, or half of one.
 */
export function keySourceOf(
  values: {
    readonly data: string | null;
    readonly rootCertificateFile: string | null;
    readonly rootKeyFile: string | null;
    readonly tokenKeyFile: string | null;
    readonly beginAnew: readonly string[];
  },
  openStore: (() => TokenStore) | null,
): KeySource {
  const { data, rootCertificateFile, rootKeyFile, tokenKeyFile, beginAnew } = values;
  const given = [rootCertificateFile, rootKeyFile, tokenKeyFile].filter((content) => content !== null).length;
  if (data !== null && openStore !== null) {
    throw new FlotillaError(
      'usage',
      '--data keeps what became of tokens, and so do --redis-url and --token-state: give one of them',
    );
  }
  if (data !== null && given === 0) {
    return { directory: data, inventory: openInventory({ places: [data], beginAnew }) };
  }
  if (rootCertificateFile !== null && rootKeyFile !== null && tokenKeyFile !== null && data === null) {
    if (openStore === null) {
      throw new FlotillaError(
        'usage',
        'which bootstrap tokens were used or revoked is kept nowhere: give --redis-url, or --token-state',
        {
          hint: 'All replicas of citadel share it in Redis. A citadel that keeps its keys itself (--data) keeps this with them.',
        },
      );
    }
    return {
      rootCertificatePem: rootCertificateFile,
      rootKeyPem: rootKeyFile,
      tokenKeyPem: tokenKeyFile,
      tokenStore: openStore(),
    };
  }
  throw new FlotillaError(
    'usage',
    'keys come from --data, or from all of --root-certificate-file, --root-key-file and --token-key-file',
    {
      hint: '"flotilla secrets" makes such files.',
    },
  );
}
