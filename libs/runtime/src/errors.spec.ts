import { describe, expect, it } from 'vitest';
import { Backoff } from './backoff.ts';
import { FlotillaError } from './errors.ts';
import { StopStack } from './stop.ts';

describe('FlotillaError', () => {
  it('keeps code and hint when an outer layer adds its subject', () => {
    const error = new FlotillaError('invalid', 'no such port', { hint: 'Name one.' }).within('gateway a');
    expect(error).toMatchObject({ code: 'invalid', message: 'gateway a: no such port', hint: 'Name one.' });
  });

  it('calls a refused connection unavailable and another errno system', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    const denied = Object.assign(new Error('EACCES'), { code: 'EACCES' });
    expect(FlotillaError.from(refused).code).toBe('unavailable');
    expect(FlotillaError.from(denied).code).toBe('system');
  });
});

describe('Backoff', () => {
  it('doubles its ceiling up to the maximum, and starts anew after reset', () => {
    const backoff = new Backoff({ baseMs: 25, maxMs: 250 }, () => 1);
    const delays = Array.from({ length: 6 }, () => backoff.nextMs());
    expect(delays).toEqual([25, 50, 100, 200, 250, 250]);
    backoff.reset();
    expect(backoff.nextMs()).toBe(25);
  });
});

describe('StopStack', () => {
  it('closes in reverse order, once, all of it even when one fails', async () => {
    const closed: string[] = [];
    const stack = new StopStack();
    stack.push('store', () => void closed.push('store'));
    stack.push('server', () => Promise.reject(new Error('stuck')));
    stack.push('bus', () => void closed.push('bus'));
    await expect(stack.close()).rejects.toThrow('some parts could not be closed');
    await expect(stack.close()).rejects.toThrow('some parts could not be closed');
    expect(closed).toEqual(['bus', 'store']);
  });
});
