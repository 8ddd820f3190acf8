import { Code, ConnectError } from '@connectrpc/connect';
import { FlotillaError, type ErrorCode } from '@flotilla/runtime';
import { describe, expect, it } from 'vitest';
import { fromConnectError, toConnectError } from './errors.ts';

describe('errors', () => {
  it.each<[ErrorCode, Code]>([
    ['invalid', Code.InvalidArgument],
    ['usage', Code.InvalidArgument],
    ['not-found', Code.NotFound],
    ['conflict', Code.Aborted],
    ['unauthenticated', Code.Unauthenticated],
    ['forbidden', Code.PermissionDenied],
    ['unavailable', Code.Unavailable],
    ['exhausted', Code.ResourceExhausted],
    ['system', Code.Internal],
    ['internal', Code.Internal],
  ])('%s goes out and comes back as itself', (code, expected) => {
    const sent = toConnectError(new FlotillaError(code, 'what', { hint: 'do' }));
    expect(sent.code).toBe(expected);
    expect(fromConnectError(sent)).toMatchObject({ code, message: 'what', hint: 'do' });
  });

  it.each<[Code, ErrorCode]>([
    [Code.AlreadyExists, 'conflict'],
    [Code.DeadlineExceeded, 'unavailable'],
    [Code.FailedPrecondition, 'invalid'],
    [Code.Unimplemented, 'internal'],
  ])('an error of another program with code %i means %s', (code, expected) => {
    expect(fromConnectError(new ConnectError('x', code)).code).toBe(expected);
  });

  it('does not show what an unknown error says', () => {
    expect(toConnectError(new TypeError('secret')).message).not.toContain('secret');
    expect(fromConnectError('text')).toMatchObject({ code: 'internal', message: 'text' });
  });
});
