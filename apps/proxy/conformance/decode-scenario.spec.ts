import { describe, expect, it } from 'vitest';
import { decodeScenario } from './decode-scenario.ts';

const decode = (text: string) => decodeScenario(text, 'a.yaml', 'subject/behaviour');

describe('scenario files', () => {
  it('have an upstream and a connection unless they say otherwise', () => {
    const scenario = decode('rows: [V21]\nclient: [{ get: /a }]\n');
    expect(Object.keys(scenario.upstreams)).toEqual(['web']);
    expect(scenario.client).toMatchObject([{ kind: 'request', request: { method: 'GET', path: '/a' } }]);
  });

  it.each([
    ['an unknown field', 'rows: [V21]\nclient: []\nroutse: []\n', 'a.yaml:3: routse is not known'],
    ['an unknown step', 'rows: [V21]\nclient:\n  - gett: /a\n', 'a.yaml:3: '],
    [
      'a value of another type',
      'rows: [V21]\nclient:\n  - get: /a\n    body: 5\n',
      'a.yaml:4: client.0.body must be text',
    ],
    [
      'an unknown answer',
      'rows: [V21]\nupstreams:\n  web:\n    answers: [{ do: explode }]\nclient: []\n',
      'a.yaml:4: ',
    ],
    ['no rows', 'client: []\n', 'rows is missing'],
    ['no client', 'rows: []\n', 'client is missing'],
    ['an upstream that is not there', 'rows: []\nclient:\n  - await: { wbe: 1 }\n', 'names no upstream: wbe'],
    ['no YAML', 'rows: [\n', 'a.yaml:'],
  ])('fail loudly for %s', (_what, text, message) => {
    expect(() => decode(text)).toThrow(message);
  });
});
