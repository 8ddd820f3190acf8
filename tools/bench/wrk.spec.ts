import { describe, expect, it } from 'vitest';
import { formatTable, median } from './statistics.ts';
import { parseWrk } from './wrk.ts';

const REPORT = `Running 2s test @ http://capture
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    41.20ms   80.00ms 800.00ms   91.00%
  Latency Distribution
     50%  850.00us
     75%   30.00ms
     90%  100.00ms
     99%    1.20s
  1042 requests in 2.00s, 1.10MB read
  Socket errors: connect 1, read 2, write 0, timeout 3
  Non-2xx or 3xx responses: 4
Requests/sec:    521.00
Transfer/sec:    560.00KB
`;

describe('figures', () => {
  it('are read from the report of wrk, in one unit, with everything that failed', () => {
    expect(parseWrk(REPORT)).toEqual({ requests: 1042, requestsPerSecond: 521, p50Ms: 0.85, p99Ms: 1200, errors: 10 });
  });

  it('are refused when there is no report', () => {
    expect(() => parseWrk('unable to connect')).toThrow('wrk gave no report');
  });

  it('have a median, and stand in columns', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2);
    expect(
      formatTable([
        ['', 'a'],
        ['rate', '100'],
      ]),
    ).toBe('        a\nrate  100\n');
  });
});
