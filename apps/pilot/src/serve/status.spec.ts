import { afterEach, expect, test } from 'vitest';
import { Code, createClient } from '@connectrpc/connect';
import { FlotillaError } from '@flotilla/runtime';
import { PilotService } from '@flotilla/wire/flotilla/pilot/v1/pilot_pb.js';
import { startWorld, type World } from '../testing/world.ts';

const opened: World[] = [];
afterEach(async () => {
  for (const world of opened.splice(0)) await world.close();
});

async function api(options: Parameters<typeof startWorld>[1]) {
  const world = await startWorld('', options);
  opened.push(world);
  return createClient(PilotService, world.api);
}

test('a pilot says which one it is, and no two have the same id', async () => {
  expect((await (await api({ pilotId: 'pilot-7' })).listProxies({})).pilotId).toBe('pilot-7');
  const [a, b] = await Promise.all([api({}), api({})]);
  const ids = [(await a.listProxies({})).pilotId, (await b.listProxies({})).pilotId];
  expect(new Set(['', ...ids]).size).toBe(3);
});

test('who may not look is told so, and nothing else', async () => {
  const callers: boolean[] = [];
  const client = await api({
    access: {
      read({ inProcess }) {
        callers.push(inProcess);
        throw new FlotillaError('forbidden', 'not you');
      },
    },
  });
  await expect(client.listProxies({})).rejects.toMatchObject({ code: Code.PermissionDenied, rawMessage: 'not you' });
  await expect(client.listServices({})).rejects.toMatchObject({ code: Code.PermissionDenied });
  expect(callers).toEqual([true, true]);
});
