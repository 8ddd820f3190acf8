import { describe, expect, test } from 'vitest';
import type { JsonObject } from '@bufbuild/protobuf';
import { proxyOf } from '../testing/translation.ts';

const ID = 'sidecar~10.0.0.1~reviews-v1.default~default.svc.cluster.local';

describe('a node', () => {
  test('is read from id and metadata', () => {
    const node = proxyOf({
      id: ID,
      userAgentName: 'envoy',
      userAgentVersionType: {
        case: 'userAgentBuildVersion',
        value: { version: { majorNumber: 1, minorNumber: 40, patch: 0 } },
      },
      locality: { region: 'eu', zone: 'west' },
      extensions: [{ name: 'istio.stats', typeUrls: ['stats.PluginConfig'] }],
      metadata: {
        NAMESPACE: 'default',
        WORKLOAD_NAME: 'reviews-v1',
        SERVICE_ACCOUNT: 'reviews',
        LABELS: { app: 'reviews' },
        INTERCEPTION_MODE: 'NONE',
        HTTP_PROXY_PORT: '15080',
        FLOTILLA_PORTS: [{ name: 'http', port: 9080, bindAddress: '127.0.0.1', bindPort: 1, appPort: 2 }],
      },
    });
    expect(node).toMatchObject({
      type: 'sidecar',
      ip: '10.0.0.1',
      workload: 'reviews-v1',
      namespace: 'default',
      serviceAccount: 'reviews',
      isExplicit: true,
      httpProxyPort: 15_080,
      agent: 'envoy/1.40.0',
      locality: 'eu/west',
      ports: [{ port: 9080, protocol: 'HTTP', bindPort: 1, appAddress: '127.0.0.1', appPort: 2 }],
    });
    expect(node.extensions).toEqual(new Set(['istio.stats', 'stats.PluginConfig']));
  });

  test('without metadata is what its id says', () => {
    expect(proxyOf({ id: ID })).toMatchObject({
      workload: 'reviews-v1',
      namespace: 'default',
      serviceAccount: 'default',
      isExplicit: false,
      families: 'IPv4',
      httpProxyPort: null,
      ports: [],
    });
  });

  test.each([
    ['10.0.0.1,fd00::1', 'dual'],
    ['fd00::1', 'IPv6'],
    ['10.0.0.1', 'IPv4'],
    ['reviews', 'IPv4'],
  ])('with the addresses %s is %s', (addresses, families) => {
    expect(proxyOf({ id: ID, metadata: { INSTANCE_IPS: addresses } }).families).toBe(families);
  });

  test.each<[string, string, JsonObject, string]>([
    ['an id of another form', 'nonsense', {}, 'is not understood'],
    ['another type of proxy', 'ztunnel~1~a.b~c', {}, 'is not understood'],
    ['labels that are a list', ID, { LABELS: [] }, 'LABELS is not an object'],
    ['a label that is a number', ID, { LABELS: { a: 1 } }, 'LABELS.a is not text'],
    ['a port out of range', ID, { HTTP_PROXY_PORT: '70000' }, 'HTTP_PROXY_PORT is not a port number'],
    ['ports that are no list', ID, { FLOTILLA_PORTS: {} }, 'FLOTILLA_PORTS is not a list'],
    ['a port without its place', ID, { FLOTILLA_PORTS: [{ port: 80 }] }, 'FLOTILLA_PORTS[0].bindPort is not a port'],
  ])('is refused with %s', (_name, id, metadata, message) => {
    expect(() => proxyOf({ id, metadata })).toThrow(message);
  });
});
