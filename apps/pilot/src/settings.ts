import { redisServiceSettings } from '@flotilla/redis';
import { identitySettings, spiffeIdSetting } from '@flotilla/service';
import { STREAM_LIMITS } from './serve/stream-limits.ts';
import * as settings from '@flotilla/service/settings';

/** What `pilot` is told when it starts. */
export const pilotSettings = {
  xdsTls: settings.address({ description: 'xDS over mutual TLS', standard: '0.0.0.0:15012' }),
  xds: settings.optional(
    settings.address({ description: 'xDS without TLS, for clients that need no identity; off unless given' }),
  ),
  allowPlaintext: settings.allowPlaintextSetting('xDS'),
  listen: settings.address({ description: 'the API, over mutual TLS', standard: '0.0.0.0:15013' }),
  ...identitySettings({ namespace: 'istio-system', serviceAccount: 'pilot' }),
  galley: settings.list(settings.url({ description: 'galley; of several, the next is asked when one is away' })),
  galleyIdentity: settings.optional(
    spiffeIdSetting('identity of galley; default: galley in istio-system of the trust domain'),
  ),
  ...redisServiceSettings,
  meshConfig: settings.optional(
    settings.path({ description: "Istio's MeshConfig as YAML; default: Istio's defaults" }),
  ),
  domainSuffix: settings.text({ description: 'suffix of service names', form: 'name', standard: 'cluster.local' }),
  debounceQuiet: settings.duration({
    description: 'a change is pushed at once; those that follow it closer than this together',
    standard: '100ms',
  }),
  debounceMax: settings.duration({ description: 'no change waits longer for others', standard: '10s' }),
  maxStreamNames: settings.integer({
    description: 'resources that one proxy may ask for by name',
    standard: String(STREAM_LIMITS.names),
    min: 1_000,
    max: 10_000_000,
  }),
  maxIdentityStreams: settings.integer({
    description: 'streams of the proxies of one identity at a time',
    standard: String(STREAM_LIMITS.identityStreams),
    min: 1,
    max: 100_000,
  }),
  adminTokenFile: settings.optional(settings.secretFile({ description: 'token that lets its bearer see all proxies' })),
  admins: settings.list(spiffeIdSetting('identity that may see all proxies')),
};
