import { connectMesh } from '@flotilla/client';
import { silentLogger } from '@flotilla/observe';
import { serveRpc } from '@flotilla/rpc/server';
import { FlotillaError } from '@flotilla/runtime';
import { GalleyService } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { afterEach, describe, expect, it } from 'vitest';
import { written } from './written.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

type Answer = (signal: AbortSignal) => Promise<never>;

/** A galley that answers every Apply so. */
async function galley(answer: Answer) {
  const server = await serveRpc({
    address: { host: '127.0.0.1', port: 0 },
    logger: silentLogger,
    drainMs: 0,
    routes: (router) => router.service(GalleyService, { apply: (_, { signal }) => answer(signal) }),
  });
  cleanups.push(() => server.close());
  return server;
}

/** What the command says when it applies to what is at this URL. */
async function failure(url: string, timeoutMs = 20_000): Promise<FlotillaError> {
  const mesh = connectMesh({ api: url });
  cleanups.push(() => mesh.close());
  const outcome = await written((call) => mesh.galley.apply({}, call), timeoutMs).then(
    () => null,
    (error: unknown) => FlotillaError.from(error),
  );
  if (outcome === null) throw new Error('the call was answered');
  return outcome;
}

const fails =
  (...[code, message]: ConstructorParameters<typeof FlotillaError>): Answer =>
  () =>
    Promise.reject(new FlotillaError(code, message));
const MAY_STAND = 'the change may have been committed, all of it, or nothing';

describe('a change that fails', () => {
  it('may stand when no answer came in time', async () => {
    const { url } = await galley((signal) => new Promise((_, reject) => signal.addEventListener('abort', reject)));
    const error = await failure(url, 50);
    expect(error).toMatchObject({ code: 'unavailable', message: `galley did not answer in 0.05 s; ${MAY_STAND}` });
    expect(error.hint).toContain('flotilla get');
  });

  it('may stand when the connection was lost before the answer', async () => {
    const called = Promise.withResolvers<void>();
    const server = await galley(() => {
      called.resolve();
      return new Promise(() => undefined);
    });
    const outcome = failure(server.url);
    await called.promise;
    await server.close();
    expect((await outcome).message).toContain(MAY_STAND);
  });

  it.each([
    ['galley lost its store meanwhile', 'unavailable', 'Redis does not answer'],
    ['galley has a bug', 'internal', 'whatever'],
  ] as const)('may stand when %s', async (_why, code, message) => {
    expect((await failure((await galley(fails(code, message))).url)).message).toContain(MAY_STAND);
  });

  it.each([
    ['galley says so', 'unavailable', 'the caller gave up before the commit: nothing was changed'],
    ['galley refuses it', 'conflict', 'the configuration has version 3, not 2'],
    ['it is too much for galley', 'exhausted', 'checking the documents took longer than 60000 ms, and was ended'],
  ] as const)('does not stand when %s', async (_why, code, message) => {
    expect(await failure((await galley(fails(code, message))).url)).toMatchObject({ code, message });
  });

  it('does not stand when nobody was there to be asked', async () => {
    const server = await galley(() => Promise.reject(new Error('not called')));
    await server.close();
    const { message } = await failure(server.url);
    expect(message).toContain('cannot reach');
    expect(message).not.toContain(MAY_STAND);
  });
});
