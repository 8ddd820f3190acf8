import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { createInMemoryTransport } from '@flotilla/rpc';
import { GalleyService } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { describe, expect, it } from 'vitest';
import { takeTurns } from './galleys.ts';

function galley(name: string, asked: string[], fault: { code: Code | null }): Transport & { close(): void } {
  const transport = createInMemoryTransport((router) =>
    router.service(GalleyService, {
      listChanges() {
        asked.push(name);
        if (fault.code !== null) throw new ConnectError(`${name} fails`, fault.code);
        return { version: 7n, snapshot: true };
      },
    }),
  );
  return {
    unary: transport.unary.bind(transport),
    stream: transport.stream.bind(transport),
    close: () => void asked.push(`${name} closed`),
  };
}

describe('several galleys', () => {
  it('are asked in turn when one cannot be reached, and the one that answered is stayed with', async () => {
    const asked: string[] = [];
    const first = { code: null as Code | null };
    const client = createClient(
      GalleyService,
      takeTurns([galley('a', asked, first), galley('b', asked, { code: null })]),
    );
    await client.listChanges({});
    first.code = Code.Unavailable;
    await client.listChanges({});
    await client.listChanges({});
    expect(asked).toEqual(['a', 'a', 'b', 'b']);
  });

  it('all away: the call fails after each was asked once', async () => {
    const asked: string[] = [];
    const away = { code: Code.Unavailable };
    const client = createClient(GalleyService, takeTurns([galley('a', asked, away), galley('b', asked, away)]));
    await expect(client.listChanges({})).rejects.toMatchObject({ code: Code.Unavailable });
    expect(asked).toEqual(['a', 'b']);
  });

  it('are not asked for a second opinion: a refusal is an answer', async () => {
    const asked: string[] = [];
    const client = createClient(
      GalleyService,
      takeTurns([galley('a', asked, { code: Code.PermissionDenied }), galley('b', asked, { code: null })]),
    );
    await expect(client.listChanges({})).rejects.toMatchObject({ code: Code.PermissionDenied });
    expect(asked).toEqual(['a']);
  });

  it('are closed together', () => {
    const asked: string[] = [];
    takeTurns([galley('a', asked, { code: null }), galley('b', asked, { code: null })]).close();
    expect(asked).toEqual(['a closed', 'b closed']);
  });
});
