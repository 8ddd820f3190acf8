import { openCitadelIdentity, openFileIdentity } from '@flotilla/identity';
import type { Logger } from '@flotilla/observe';
import { type Clock, FlotillaError, type Random } from '@flotilla/runtime';
import { formatSpiffeId, type IdentitySource, isTrustDomain, parseSpiffeId } from '@flotilla/spiffe';
import { readFileSync } from 'node:fs';
import { readSecretFile } from '@flotilla/runtime/disk';
import type { Readiness } from './readiness.ts';
import type { SettingsOf } from './settings/read.ts';
import * as settings from './settings/setting.ts';

/** Namespace of the control plane's own identities, Istio's name for it. */
export const CONTROL_PLANE_NAMESPACE = 'istio-system';

/** The trust domain of all identities. */
export const trustDomainSetting = settings.single(
  'name',
  { description: 'trust domain of all identities', standard: 'cluster.local' },
  (text) => {
    if (isTrustDomain(text)) return text;
    throw new FlotillaError('invalid', `"${text}" is not a trust domain`, { hint: 'Write a DNS name in lower case.' });
  },
);

/** A SPIFFE ID as text, checked. */
export const spiffeIdSetting = (description: string): settings.Setting<string> =>
  settings.single('spiffe://…', { description }, (text) => formatSpiffeId(parseSpiffeId(text)));

/** Who a process is, and how it proves that at first: settings of everything but citadel. */
export const identitySettings = (standard: { readonly namespace: string; readonly serviceAccount: string }) => ({
  trustDomain: trustDomainSetting,
  namespace: settings.text({ description: 'namespace of its identity', form: 'name', standard: standard.namespace }),
  serviceAccount: settings.text({
    description: 'service account of its identity',
    form: 'name',
    standard: standard.serviceAccount,
  }),
  ca: settings.optional(settings.url({ description: 'citadel, which issues and renews the certificate' })),
  caRoots: settings.optional(
    settings.path({
      description: 'roots that citadel is verified with at first, and all peers with --certificate-file',
    }),
  ),
  caIdentity: settings.optional(
    spiffeIdSetting(`identity of citadel; default: citadel in ${CONTROL_PLANE_NAMESPACE} of the trust domain`),
  ),
  tokenFile: settings.optional(
    settings.path({ description: 'bootstrap token for the first certificate; read each time one is needed' }),
  ),
  token: settings.optional(
    settings.text({
      description: 'the bootstrap token itself, where a file cannot be had: by its variable',
      form: 'token',
    }),
  ),
  certificateTtl: settings.duration({ description: 'lifetime to ask for; renewed at half of it', standard: '24h' }),
  certificateFile: settings.optional(
    settings.path({ description: 'certificate chain from elsewhere, in place of --ca; read again when it changes' }),
  ),
  keyFile: settings.optional(settings.path({ description: 'private key of --certificate-file' })),
  secretMode: settings.secretModeSetting,
});

export type IdentitySettings = SettingsOf<ReturnType<typeof identitySettings>>;

/** What can be wrong between settings that are right each by itself. Throws `usage`. */
export function checkIdentitySettings(values: IdentitySettings): void {
  const fault = (message: string) => new FlotillaError('usage', message);
  const { ca, certificateFile, keyFile, caRoots, token, tokenFile } = values;
  if (ca !== null && certificateFile !== null) {
    throw fault('--ca and --certificate-file are two ways to an identity: give one of them');
  }
  if (ca === null && certificateFile === null) {
    throw fault('no identity: give --ca and --token-file, or --certificate-file and --key-file');
  }
  if (ca !== null && !ca.startsWith('https://')) throw fault(`--ca ${ca}: citadel is reached by https://host:port`);
  if (ca !== null && token === null && tokenFile === null) {
    throw fault('--ca needs a bootstrap token: give --token-file. "flotilla token" makes one');
  }
  if (certificateFile !== null && (keyFile === null || caRoots === null)) {
    throw fault('--certificate-file needs --key-file and --ca-roots too');
  }
}

/**
 * The identity of this process, as the settings say. Waits for citadel when it is away, which `readiness` tells
 * meanwhile. Throws `unauthenticated` or `forbidden` when citadel refuses, `usage`, `system` or `invalid` for settings
 * and files that cannot be used.
 */
export async function openServiceIdentity(
  values: IdentitySettings,
  context: {
    readonly readiness: Readiness;
    readonly logger: Logger;
    readonly clock: Clock;
    readonly random: Random;
    readonly signal: AbortSignal;
  },
): Promise<IdentitySource> {
  checkIdentitySettings(values);
  const { readiness, logger, clock, random, signal } = context;
  const { trustDomain, namespace, serviceAccount, ca, caRoots, certificateFile, keyFile } = values;
  const id = { trustDomain, namespace, serviceAccount };
  if (ca === null) {
    // Checked above: the three go together.
    const files = { certificateFile: certificateFile ?? '', keyFile: keyFile ?? '', rootsFile: caRoots ?? '' };
    const identity = openFileIdentity({ ...files, widestKeyMode: values.secretMode, clock, logger });
    const found = identity.current()?.spiffeId;
    if (found !== undefined && formatSpiffeId(found) === formatSpiffeId(id)) return identity;
    identity.close();
    throw new FlotillaError(
      'invalid',
      `the certificate in ${files.certificateFile} is of ${found === undefined ? 'nobody' : formatSpiffeId(found)}, not of ${formatSpiffeId(id)}`,
      { hint: 'Set --trust-domain, --namespace and --service-account to its identity, or give the right certificate.' },
    );
  }
  const gate = readiness.gate(`waiting for a certificate from ${ca}`);
  const identity = await openCitadelIdentity({
    ca: {
      url: ca,
      ...(caRoots === null ? {} : { rootPem: readRequired(caRoots, '--ca-roots') }),
      serverSpiffeId: citadelIdentity(values),
    },
    token: () => tokenOf(values),
    id,
    ttlMs: values.certificateTtl,
    clock,
    random,
    logger,
    signal,
  });
  gate.open();
  return identity;
}

/** Whom the holder of these settings takes for citadel. */
export function citadelIdentity({
  caIdentity,
  trustDomain,
}: Pick<IdentitySettings, 'caIdentity' | 'trustDomain'>): string {
  return caIdentity ?? controlPlaneIdentity(trustDomain, 'citadel');
}

/** The standard identity of a service of the control plane. */
export function controlPlaneIdentity(trustDomain: string, serviceAccount: string): string {
  return formatSpiffeId({ trustDomain, namespace: CONTROL_PLANE_NAMESPACE, serviceAccount });
}

/**
 * The bootstrap token as it is now; null when there is none. Throws `system` when its file cannot be read, `invalid` when
 * others can read it.
 */
export function tokenOf(values: Pick<IdentitySettings, 'token' | 'tokenFile' | 'secretMode'>): string | null {
  const { token, tokenFile, secretMode } = values;
  if (tokenFile === null) return token;
  try {
    return readSecretFile(tokenFile, { widestMode: secretMode }).trim() || null;
  } catch (error) {
    throw FlotillaError.from(error).within('cannot use --token-file');
  }
}

function readRequired(file: string, setting: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new FlotillaError('system', `cannot read ${setting} ${file}: ${FlotillaError.from(error).message}`, {
      cause: error,
    });
  }
}
