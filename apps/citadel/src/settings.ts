import { beginAnewSetting, spiffeIdSetting, trustDomainSetting } from '@flotilla/service';
import * as settings from '@flotilla/service/settings';
import { FlotillaError } from '@flotilla/runtime';
import { openInventory } from '@flotilla/runtime/disk';
import type { KeySource } from './keystore/key-source.ts';

/** What `citadel` is told when it starts. */
export const citadelSettings = {
  listen: settings.address({ description: 'certificates and tokens, over TLS', standard: '0.0.0.0:8060' }),
  trustDomain: trustDomainSetting,
  data: settings.optional(
    settings.path({ description: 'keep root and token key here, made at the first start', form: 'directory' }),
  ),
  rootCertificateFile: settings.optional(
    settings.fileContent({ description: "in place of --data: the root's certificate, the same for every replica" }),
  ),
  rootKeyFile: settings.optional(settings.secretFile({ description: 'private key of --root-certificate-file' })),
  tokenKeyFile: settings.optional(settings.secretFile({ description: 'private key that signs bootstrap tokens' })),
  beginAnew: beginAnewSetting,
  maxCertificateTtl: settings.duration({ description: 'longest lifetime of a certificate', standard: '24h' }),
  adminTokenFile: settings.optional(
    settings.secretFile({ description: 'token that lets its bearer make bootstrap tokens' }),
  ),
  admins: settings.list(spiffeIdSetting('identity that may make bootstrap tokens')),
};

/** Where the keys come from. Throws `usage` when the settings name none, two, or half of one. */
export function keySourceOf(values: {
  readonly data: string | null;
  readonly rootCertificateFile: string | null;
  readonly rootKeyFile: string | null;
  readonly tokenKeyFile: string | null;
  readonly beginAnew: readonly string[];
}): KeySource {
  const { data, rootCertificateFile, rootKeyFile, tokenKeyFile, beginAnew } = values;
  const given = [rootCertificateFile, rootKeyFile, tokenKeyFile].filter((content) => content !== null).length;
  if (data !== null && given === 0) {
    return { directory: data, inventory: openInventory({ places: [data], beginAnew }) };
  }
  if (rootCertificateFile !== null && rootKeyFile !== null && tokenKeyFile !== null && data === null) {
    return { rootCertificatePem: rootCertificateFile, rootKeyPem: rootKeyFile, tokenKeyPem: tokenKeyFile };
  }
  throw new FlotillaError(
    'usage',
    'keys come from --data, or from all of --root-certificate-file, --root-key-file and --token-key-file',
    {
      hint: '"flotilla secrets" makes such files.',
    },
  );
}
