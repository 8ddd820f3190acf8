import { describe, expect, it } from 'vitest';
import { readSockaddrIn, readSockaddrIn6 } from './original-dst.ts';
import type { ListenerAddress } from './compiled-listener.ts';
import { ListenerIndex } from './listener-index.ts';

describe('an original destination', () => {
  it('is read from sockaddr_in', () => {
    expect(readSockaddrIn(Buffer.from('0200237a0a0000070000000000000000', 'hex'))).toEqual({
      host: '10.0.0.7',
      port: 9082,
    });
  });

  it.each([
    ['fd000000000000000000000000000007', 'fd00::7'],
    ['00000000000000000000000000000001', '::1'],
    ['fe80000000000000abcd000000000000', 'fe80::abcd:0:0:0'],
    ['20010db8000000010002000300040005', '2001:db8:0:1:2:3:4:5'],
    ['00000000000000000000ffff0a000007', '10.0.0.7'],
  ])('is read from sockaddr_in6: %s', (address, host) => {
    expect(readSockaddrIn6(Buffer.from(`0a00237a00000000${address}00000000`, 'hex'))).toEqual({ host, port: 9082 });
  });
});

describe('the listener of an original destination', () => {
  const index = new ListenerIndex<string>();
  const listeners: readonly (readonly [string, readonly ListenerAddress[]])[] = [
    ['any v4', [{ host: '0.0.0.0', port: 80 }]],
    ['one v4', [{ host: '10.0.0.7', port: 80 }]],
    ['any v6', [{ host: '::', port: 80 }]],
    ['one v6', [{ host: 'fd00:0:0::7', port: 80 }]],
    ['both', [{ host: '::', port: 81, isIpv4Too: true }]],
    ['v6 only', [{ host: '::', port: 82 }]],
  ];
  for (const [listener, addresses] of listeners) index.add(listener, addresses);

  it.each([
    ['10.0.0.7', 80, 'one v4'],
    ['10.0.0.8', 80, 'any v4'],
    ['fd00::7', 80, 'one v6'],
    ['fd00::8', 80, 'any v6'],
    ['10.0.0.7', 81, 'both'],
    ['10.0.0.7', 82, null],
    ['10.0.0.7', 83, null],
  ])('%s:%i is for %s', (host, port, expected) => {
    expect(index.find({ host, port })).toBe(expected);
  });

  it('of two on one address is the first, and the second when the first is gone', () => {
    const there = new ListenerIndex<string>();
    for (const listener of ['first', 'second']) there.add(listener, [{ host: '10.0.0.7', port: 80 }]);
    expect(there.find({ host: '10.0.0.7', port: 80 })).toBe('first');
    there.remove('first', [{ host: '10.0.0.7', port: 80 }]);
    expect(there.find({ host: '10.0.0.7', port: 80 })).toBe('second');
  });
});
