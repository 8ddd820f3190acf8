import { create } from '@bufbuild/protobuf';
import { ListenerSchema } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import { describe, expect, it } from 'vitest';
import { StatsRegistry } from '../base/stats.ts';
import { compileListenerFilters } from './listener-filters.ts';

const range = (start: number, end: number) => ({
  rule: { case: 'destinationPortRange' as const, value: { start, end } },
});

describe('listener filters', () => {
  const { sniffOf } = compileListenerFilters(
    create(ListenerSchema, {
      listenerFilters: [
        { name: 'envoy.filters.listener.tls_inspector', filterDisabled: range(25, 26) },
        {
          name: 'envoy.filters.listener.http_inspector',
          filterDisabled: {
            rule: {
              case: 'orMatch',
              value: {
                rules: [
                  range(25, 26),
                  {
                    rule: {
                      case: 'andMatch',
                      value: { rules: [range(3000, 4000), { rule: { case: 'notMatch', value: range(3500, 3501) } }] },
                    },
                  },
                ],
              },
            },
          },
        },
      ],
    }),
    new StatsRegistry(),
  );

  it.each([
    [25, null],
    [26, { tls: true, http: true }],
    [3306, { tls: true, http: false }],
    [3500, { tls: true, http: true }],
  ])('look at a connection to port %i as their predicates say', (port, expected) => {
    const found = sniffOf(port);
    expect(found === null ? null : { tls: found.tls, http: found.http }).toEqual(expected);
  });
});
