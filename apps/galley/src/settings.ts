import { redisServiceSettings } from '@flotilla/redis';
import { beginAnewSetting, identitySettings, spiffeIdSetting } from '@flotilla/service';
import * as settings from '@flotilla/service/settings';

/** What `galley` is told when it starts. */
export const galleySettings = {
  listen: settings.address({ description: 'the API, over mutual TLS', standard: '0.0.0.0:9901' }),
  ...identitySettings({ namespace: 'istio-system', serviceAccount: 'galley' }),
  ...redisServiceSettings,
  data: settings.optional(
    settings.path({
      description: 'in place of Redis: keep the store here, in a file, for a galley that is alone',
      form: 'directory',
    }),
  ),
  inventory: settings.optional(
    settings.path({
      description: 'remember here which store is used, so that one that was lost is not begun anew; default: --data',
      form: 'directory',
    }),
  ),
  beginAnew: beginAnewSetting,
  config: settings.list(settings.path({ description: 'directory of YAML to read and watch', form: 'directory' })),
  changeLogLimit: settings.integer({
    description: 'changes that the store keeps for replicas that catch up',
    standard: '10000',
    min: 1,
    max: 10_000_000,
  }),
  adminTokenFile: settings.optional(
    settings.secretFile({ description: 'token that lets its bearer read and change everything' }),
  ),
  admins: settings.list(spiffeIdSetting('identity that may read and change everything')),
  registrars: settings.list(
    spiffeIdSetting('identity that may read everything and register workloads; default: pilot in istio-system'),
  ),
};
