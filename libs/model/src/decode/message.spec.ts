import { describe, expect, it } from 'vitest';
import { EnvoyFilterSchema } from '@flotilla/wire/istio/networking/v1alpha3/envoy_filter_pb.js';
import { DestinationRuleSchema } from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';
import { VirtualServiceSchema } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import { PeerAuthenticationSchema } from '@flotilla/wire/istio/security/v1beta1/peer_authentication_pb.js';
import { formatPath } from './fault.ts';
import { decodeMessage } from './message.ts';

const http = (route: object): object => ({ http: [route] });

function faultsOf(value: unknown): readonly string[] {
  return decodeMessage(VirtualServiceSchema, value).faults.map(
    (fault) => `${formatPath(fault.path)}: ${fault.message}${fault.hint === '' ? '' : ` | ${fault.hint}`}`,
  );
}

describe('decodeMessage', () => {
  it('reads every form of value that Istio writes', () => {
    const decoded = decodeMessage(VirtualServiceSchema, {
      hosts: ['reviews'],
      gateways: null,
      http: [
        {
          match: [
            { uri: { prefix: '/a' }, headers: { 'end-user': { exact: 'jason' } }, port: 80, ignoreUriCase: true },
          ],
          timeout: '1h30m0.5s',
          retries: { attempts: 3, retryRemoteLocalities: false },
          fault: { delay: { percentage: { value: 0.1 }, fixedDelay: '7s' } },
          directResponse: { status: 200, body: { bytes: 'aGk=' } },
        },
      ],
    });
    expect(decoded.faults).toEqual([]);
    const route = decoded.ok ? decoded.value.http[0] : undefined;
    expect(route?.timeout).toMatchObject({ seconds: 5400n, nanos: 500_000_000 });
    expect(route?.match[0]?.headers['end-user']?.matchType).toEqual({ case: 'exact', value: 'jason' });
    expect(route?.retries?.retryRemoteLocalities).toBe(false);
  });

  it.each([
    ['an unknown field, with the near one', { host: ['a'] }, 'host: unknown field "host" | Did you mean "hosts"?'],
    [
      'an unknown field, with all there are',
      http({ timeout: '1s', headers: { x: 1 } }),
      'http[0].headers.x: unknown field "x" | Fields known here: request, response.',
    ],
    [
      'the name in the .proto file',
      http({ cors_policy: {} }),
      'http[0].cors_policy: unknown field "cors_policy" | Did you mean "corsPolicy"?',
    ],
    ['a text for a list', { hosts: 'a' }, 'hosts: must be a list, but is the text "a" | Begin each entry with a dash.'],
    ['a map for a list', { http: {} }, 'http: must be a list, but is a map | Begin each entry with a dash.'],
    ['a list for a map', http({ headers: [] }), 'http[0].headers: must be a map of fields, but is a list'],
    [
      'a number for a text',
      { hosts: [1.5] },
      'hosts[0]: must be a text, but is the number 1.5 | Put it in quotes: "1.5".',
    ],
    ['nothing in a list', { hosts: [null] }, 'hosts[0]: must be a text, but is nothing'],
    [
      'a text for a number',
      http({ match: [{ port: '80' }] }),
      'http[0].match[0].port: must be a whole number, but is the text "80" | Write it without quotes: 80.',
    ],
    [
      'a fraction for a whole number',
      http({ match: [{ port: 80.5 }] }),
      'http[0].match[0].port: must be a whole number, but is the number 80.5',
    ],
    ['a number out of range', http({ match: [{ port: -1 }] }), 'http[0].match[0].port: must be 0 or more, but is -1'],
    [
      'a text for a boolean',
      http({ match: [{ ignoreUriCase: 'yes' }] }),
      'http[0].match[0].ignoreUriCase: must be true or false, but is the text "yes" | Write true or false without quotes.',
    ],
    [
      'a duration without a unit',
      http({ timeout: '10' }),
      'http[0].timeout: "10" is not a duration | Write a number with a unit, such as 250ms, 7s or 1h30m.',
    ],
    [
      'a number for a duration',
      http({ timeout: 10 }),
      'http[0].timeout: must be a duration, but is the number 10 | Write a number with a unit, such as 250ms, 7s or 1h30m.',
    ],
    [
      'a duration of ages',
      http({ timeout: '99999999999h' }),
      'http[0].timeout: "99999999999h" is longer than a duration can be',
    ],
    [
      'an unknown name of an enum',
      http({ redirect: { derivePort: 'SAME' } }),
      'http[0].redirect.derivePort: unknown value "SAME" | Allowed: FROM_PROTOCOL_DEFAULT, FROM_REQUEST_PORT.',
    ],
    [
      'a number for an enum',
      http({ redirect: { derivePort: 1 } }),
      'http[0].redirect.derivePort: must be a name, but is the number 1 | Allowed: FROM_PROTOCOL_DEFAULT, FROM_REQUEST_PORT.',
    ],
    [
      'two members of one choice',
      http({ match: [{ uri: { exact: '/a', prefix: '/b' } }] }),
      'http[0].match[0].uri.prefix: "exact" and "prefix" exclude each other | Keep one of them.',
    ],
    [
      'bytes that are not base64',
      http({ directResponse: { status: 200, body: { bytes: '§' } } }),
      'http[0].directResponse.body.bytes: must be bytes written in base64',
    ],
    ['a spec that is a text', 'x', ': must be a map of fields, but is the text "x"'],
  ])('refuses %s', (_, value, expected) => {
    expect(faultsOf(value)).toEqual([expected]);
  });

  it('reports all faults at once', () => {
    const faults = faultsOf({ hosts: 'a', gatways: [], http: [{ timeout: 'x' }, { retries: { attempts: 'y' } }] });
    expect(faults).toHaveLength(4);
  });

  it('refuses a key of a map of numbers that is none', () => {
    const decoded = decodeMessage(PeerAuthenticationSchema, { portLevelMtls: { http: { mode: 'STRICT' } } });
    expect(decoded.faults[0]?.message).toBe('the key "http" must be a whole number');
    expect(decodeMessage(PeerAuthenticationSchema, { portLevelMtls: { '8080': { mode: 'STRICT' } } }).ok).toBe(true);
  });

  it('warns of deprecated fields and values, and reads them', () => {
    const decoded = decodeMessage(DestinationRuleSchema, {
      host: 'a',
      trafficPolicy: { loadBalancer: { simple: 'LEAST_CONN' } },
    });
    expect(decoded.ok).toBe(true);
    expect(decoded.faults).toMatchObject([{ severity: 'warning', code: 'IST0002' }]);
  });

  it('keeps free-form values as they are', () => {
    const value = { name: 'x', nested: [1, null, { deep: true }] };
    const decoded = decodeMessage(EnvoyFilterSchema, { configPatches: [{ patch: { value } }] });
    expect(decoded.ok ? decoded.value.configPatches[0]?.patch?.value : null).toEqual(value);
  });
});
