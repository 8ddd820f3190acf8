import { describe, expect, test } from 'vitest';
import { compileGuard, type GuardedRequest } from './guard.ts';

const guard = compileGuard(['mesh.example.com', '*.corp.example'], 'node-7.dc1.example');

function isAnswered(method: string, headers: GuardedRequest['headers']): boolean {
  return guard({ method, headers }) === null;
}

describe('the name that a request was sent to', () => {
  test.each([
    ['an IPv4 address', '127.0.0.1:15000'],
    ['an IPv6 address', '[::1]:15000'],
    ['localhost', 'LOCALHOST:15000'],
    ['a name below localhost', 'console.localhost:9901'],
    ['the name of a service in compose', 'galley:9902'],
    ['the name of a service in Kubernetes', 'pilot.istio-system.svc.cluster.local:15014'],
    ['the same with a final full stop', 'pilot.istio-system.svc.:15014'],
    ['the name of the machine', 'node-7.dc1.example'],
    ['a name that was set', 'mesh.example.com:9901'],
    ['a name below one that was set', 'a.b.corp.example'],
    ['what stock Envoy calls a cluster', 'outbound|15014||pilot.istio-system.svc.cluster.local'],
  ])('%s is known', (_, host) => {
    expect(isAnswered('GET', { host })).toBe(true);
    expect(isAnswered('POST', { ':authority': host })).toBe(true);
  });

  test.each([
    ['a name of the public DNS', 'evil.example:15000'],
    ['one with a known name in front', '127.0.0.1.evil.example'],
    ['one with a known name behind the port', 'evil.example:80:localhost'],
    ['one that only ends like a name that was set', 'evilcorp.example'],
    ['the domain of names that were set', 'corp.example'],
    ['one with a user in front', 'localhost@evil.example'],
    ['nothing', ''],
    ['a short form of an address', '127.1'],
  ])('%s is not', (_, host) => {
    expect(isAnswered('GET', { host })).toBe(false);
  });

  test('a program that names no host is answered', () => {
    expect(isAnswered('GET', {})).toBe(true);
  });

  test('the refusal says which name, and what makes it known', () => {
    expect(guard({ method: 'GET', headers: { host: 'evil.example' } })).toMatch(/"evil\.example".*--http-hosts/);
    expect(() => compileGuard(['http://mesh.example.com'])).toThrow('is not a host name');
  });
});

const HOST = '127.0.0.1:15000';
const PAGE = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };

describe('who sends a request', () => {
  test.each<[string, string, GuardedRequest['headers']]>([
    ['a program', 'POST', {}],
    ["Node's fetch", 'POST', { 'sec-fetch-mode': 'cors' }],
    ['a person at the address bar', 'GET', { ...PAGE, 'sec-fetch-site': 'none' }],
    ['a page of this port', 'POST', { origin: `http://${HOST}`, 'sec-fetch-site': 'same-origin' }],
    ['a page of this port without Sec-Fetch', 'POST', { origin: `http://${HOST}` }],
    ['a link on a page elsewhere', 'GET', { ...PAGE, 'sec-fetch-site': 'cross-site' }],
  ])('%s is answered', (_, method, headers) => {
    expect(isAnswered(method, { host: HOST, ...headers })).toBe(true);
  });

  test.each<[string, string, GuardedRequest['headers']]>([
    ['a form elsewhere', 'POST', { ...PAGE, origin: 'http://evil.example', 'sec-fetch-site': 'cross-site' }],
    ['a form that says no origin', 'POST', { ...PAGE, 'sec-fetch-site': 'cross-site' }],
    ['a form without Sec-Fetch', 'POST', { origin: 'http://evil.example' }],
    ['a sandboxed frame', 'POST', { origin: 'null' }],
    ['a frame around this port', 'GET', { ...PAGE, 'sec-fetch-dest': 'iframe', 'sec-fetch-site': 'cross-site' }],
    ['an image', 'GET', { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image', 'sec-fetch-site': 'cross-site' }],
    ['a page of another port of this machine', 'GET', { 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'same-site' }],
    ['the same without Sec-Fetch', 'POST', { origin: 'http://127.0.0.1:3000' }],
    ['a preflight', 'OPTIONS', { origin: 'http://evil.example' }],
    ['a site that a browser cannot name', 'GET', { 'sec-fetch-site': 'whatever' }],
  ])('%s is not', (_, method, headers) => {
    expect(isAnswered(method, { host: HOST, ...headers })).toBe(false);
  });

  test.each([
    ['http://localhost', 'localhost:80'],
    ['https://mesh.example.com', 'mesh.example.com'],
    ['https://mesh.example.com', 'mesh.example.com:443'],
    ['http://[::1]:9901', '[::1]:9901'],
  ])('a page of %s may ask %s', (origin, host) => {
    expect(isAnswered('POST', { origin, host })).toBe(true);
  });
});
