import { describe, expect, it } from 'vitest';
import { formatAddress, parseAddress } from './address.ts';
import { parseDurationMs } from './duration.ts';
import { FlotillaError } from './errors.ts';

describe('parseDurationMs', () => {
  it.each([
    ['7s', 7_000],
    ['1h30m', 5_400_000],
    ['0.5s', 500],
    ['.5s', 500],
    ['250ms', 250],
    ['10us', 0.01],
    ['10µs', 0.01],
    ['0', 0],
    ['-3s', -3_000],
  ])('reads %s as %d ms', (text, expected) => {
    expect(parseDurationMs(text)).toBeCloseTo(expected);
  });

  it.each(['', '7', 's', '7 s', '7s7', '1d', 'infinite'])('refuses "%s"', (text) => {
    expect(() => parseDurationMs(text)).toThrow(FlotillaError);
  });
});

describe('parseAddress', () => {
  it.each([
    ['127.0.0.1:80', { host: '127.0.0.1', port: 80 }],
    ['[::1]:15010', { host: '::1', port: 15010 }],
    [':0', { host: '127.0.0.1', port: 0 }],
    ['pilot.local:15012', { host: 'pilot.local', port: 15012 }],
  ])('reads %s', (text, expected) => {
    expect(parseAddress(text)).toEqual(expected);
  });

  it.each(['', '80', 'host', 'host:70000', 'host:x', '::1:80'])('refuses "%s"', (text) => {
    expect(() => parseAddress(text)).toThrow(FlotillaError);
  });

  it('writes IPv6 addresses in brackets', () => {
    expect(formatAddress({ host: '::1', port: 80 })).toBe('[::1]:80');
  });
});
