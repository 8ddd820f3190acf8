import { create, createRegistry, fromJson, type JsonObject, toJson } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { RetryPolicySchema } from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { PreviousPrioritiesConfigSchema } from '@flotilla/wire/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.js';
import { HTTPRetrySchema } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import { meshDefaults } from '../../mesh/settings.ts';
import { meshConfig } from '../../testing/nodes.ts';
import { outboundRetryPolicy } from './retry.ts';

const DEFAULT_CONDITIONS =
  'connect-failure,refused-stream,unavailable,cancelled,reset-before-request,reset-idempotent,retriable-headers';

test.each<[string, JsonObject | null, JsonObject | null, JsonObject | null]>([
  ['nothing written', null, null, { retryOn: DEFAULT_CONDITIONS, numRetries: 2 }],
  ['no attempts', { attempts: 0 }, null, null],
  ['attempts alone keep the conditions', { attempts: 5 }, null, { retryOn: DEFAULT_CONDITIONS, numRetries: 5 }],
  [
    'status codes among the conditions',
    { attempts: 1, retryOn: '5xx, 503,504' },
    null,
    { retryOn: '5xx,retriable-status-codes', retriableStatusCodes: [503, 504], numRetries: 1 },
  ],
  [
    'times',
    { attempts: 1, perTryTimeout: '2s', backoff: '0.100s' },
    null,
    { perTryTimeout: '2s', retryBackOff: { baseInterval: '0.100s' } },
  ],
  [
    'other localities',
    { attempts: 3, retryRemoteLocalities: true },
    null,
    { retryPriority: { name: 'envoy.retry_priorities.previous_priorities', typedConfig: { updateFrequency: 2 } } },
  ],
  ['the mesh says', null, { attempts: 7, retryOn: 'reset' }, { retryOn: 'reset', numRetries: 7 }],
  ['the mesh says none', null, { attempts: 0 }, null],
  [
    'failed connections of the other side count where those of this side do',
    { attempts: 1, retryOn: 'connect-failure' },
    null,
    {
      retryOn: 'connect-failure,retriable-headers',
      retriableHeaders: [{ name: 'x-flotilla-unreached', presentMatch: true }],
    },
  ],
  ['and not where they do not', { attempts: 1, retryOn: 'reset' }, null, { retryOn: 'reset' }],
  ['a rule beats the mesh', { attempts: 1 }, { attempts: 7 }, { numRetries: 1 }],
])('%s', (_name, rule, mesh, expected) => {
  const config = meshConfig(mesh === null ? {} : { defaultHttpRetryPolicy: fromJson(HTTPRetrySchema, mesh) });
  const settings = {
    config: meshDefaults(config),
    trustDomain: 'cluster.local',
    domainSuffix: 'cluster.local',
    rootNamespace: 'istio-system',
    clusterId: 'Kubernetes',
  };
  const policy = outboundRetryPolicy(rule === null ? undefined : fromJson(HTTPRetrySchema, rule), settings);
  if (expected === null) expect(policy).toBeUndefined();
  else {
    const { retryHostPredicate: _, ...plain } = policy ?? {};
    const registry = createRegistry(PreviousPrioritiesConfigSchema);
    expect(toJson(RetryPolicySchema, create(RetryPolicySchema, plain), { registry })).toMatchObject(expected);
  }
});

test('hosts that failed are avoided unless the rule says otherwise', () => {
  const settings = {
    config: meshDefaults(meshConfig({})),
    trustDomain: 'cluster.local',
    domainSuffix: 'cluster.local',
    rootNamespace: 'istio-system',
    clusterId: 'Kubernetes',
  };
  expect(outboundRetryPolicy(undefined, settings)?.hostSelectionRetryMaxAttempts).toBe(5n);
  const ignoring = create(HTTPRetrySchema, { attempts: 1, retryIgnorePreviousHosts: false });
  expect(outboundRetryPolicy(ignoring, settings)?.retryHostPredicate).toBeUndefined();
});
