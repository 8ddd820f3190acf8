import { expect, test } from 'vitest';
import { fromJson, type JsonObject, toJson, create } from '@bufbuild/protobuf';
import { RouteMatchSchema } from '@flotilla/wire/envoy/config/route/v3/route_components_pb.js';
import { HTTPMatchRequestSchema } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import { isCatchAll, routeMatch } from './match.ts';

const ANY = { prefix: '/' };

test.each<[string, JsonObject | null, JsonObject, boolean]>([
  ['no match', null, ANY, true],
  ['an empty match', {}, ANY, true],
  ['an exact path', { uri: { exact: '/a' } }, { path: '/a' }, false],
  ['a prefix', { uri: { prefix: '/a' } }, { prefix: '/a' }, false],
  ['the prefix of everything', { uri: { prefix: '/' } }, ANY, true],
  ['a regex', { uri: { regex: '/a+' } }, { safeRegex: { regex: '/a+' } }, false],
  ['the regex of everything', { uri: { regex: '.*' } }, { safeRegex: { regex: '.*' } }, true],
  ['any case', { uri: { exact: '/A' }, ignoreUriCase: true }, { path: '/A', caseSensitive: false }, false],
  [
    'a scheme, a method and an authority',
    { scheme: { exact: 'https' }, method: { exact: 'GET' }, authority: { prefix: 'a.' } },
    {
      ...ANY,
      headers: [
        { name: ':scheme', stringMatch: { exact: 'https' } },
        { name: ':method', stringMatch: { exact: 'GET' } },
        { name: ':authority', stringMatch: { prefix: 'a.' } },
      ],
    },
    false,
  ],
  [
    'headers, in order of their names',
    { headers: { z: { exact: '1' }, a: {} } },
    {
      ...ANY,
      headers: [
        { name: 'a', presentMatch: true },
        { name: 'z', stringMatch: { exact: '1' } },
      ],
    },
    false,
  ],
  [
    'a header that must not be there',
    { withoutHeaders: { a: {} } },
    { ...ANY, headers: [{ name: 'a', presentMatch: true, invertMatch: true }] },
    false,
  ],
  [
    'a value that a header must not have',
    { withoutHeaders: { a: { exact: '1' } } },
    {
      ...ANY,
      headers: [{ name: 'a', stringMatch: { exact: '1' }, invertMatch: true, treatMissingHeaderAsEmpty: true }],
    },
    false,
  ],
  [
    'query parameters',
    { queryParams: { b: { regex: 'x.*' }, a: {} } },
    {
      ...ANY,
      queryParameters: [
        { name: 'a', presentMatch: true },
        { name: 'b', stringMatch: { safeRegex: { regex: 'x.*' } } },
      ],
    },
    false,
  ],
  ['who asks, which the proxy does not decide', { sourceLabels: { a: 'b' }, port: 80 }, ANY, true],
])('%s', (_name, json, expected, takesAll) => {
  const match = json === null ? null : fromJson(HTTPMatchRequestSchema, json);
  expect(toJson(RouteMatchSchema, create(RouteMatchSchema, routeMatch(match)))).toEqual(expected);
  expect(isCatchAll(match)).toBe(takesAll);
});
