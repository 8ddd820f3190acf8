import { setTimeout as delay } from 'node:timers/promises';
import { type Client, type ClientWorld, PATIENCE_MS } from './client-connection.ts';
import { ClientFrames } from './client-frames.ts';
import { ClientH1 } from './client-h1.ts';
import { ClientH2 } from './client-h2.ts';
import { dial, TlsRefused } from './dial.ts';
import type { Connect, Scenario, Step } from './scenario.ts';

const PLAIN: Connect = { name: '', as: 'h1', tls: null, before: '', to: '' };

/** Runs the client's steps against one proxy and gives back what it saw. */
export async function runClient(scenario: Scenario, world: ClientWorld): Promise<readonly string[]> {
  const saw: string[] = [];
  const clients = new Map<string, Client>();
  let present: Client | null = null;
  const open = async (connect: Connect): Promise<Client> => {
    const several = scenario.client.some((step) => step.kind === 'connect' && step.connect.name !== '');
    const note = (text: string): void => void saw.push(several ? `${connect.name || 'first'}: ${text}` : text);
    const socket = await dial(world, connect, note);
    const client =
      connect.as === 'h2'
        ? new ClientH2(socket, world.fill, note)
        : connect.as === 'frames'
          ? new ClientFrames(socket, world.fill, note)
          : new ClientH1(socket, world.fill, note, connect.as === 'tcp');
    if (connect.name === '') clients.get('')?.close();
    clients.set(connect.name, client);
    return client;
  };
  try {
    for (const step of scenario.client) {
      if (step.kind === 'connect') present = await open(step.connect);
      else if (step.kind === 'on') present = clients.get(step.name) ?? null;
      else if (step.kind === 'await' || step.kind === 'release' || step.kind === 'until')
        await control(step, world, saw);
      else {
        present ??= await open(PLAIN);
        await act(present, step);
      }
    }
  } catch (error) {
    if (!(error instanceof TlsRefused)) throw error;
  } finally {
    for (const client of clients.values()) client.close();
  }
  return saw;
}

async function act(client: Client, step: Step): Promise<void> {
  switch (step.kind) {
    case 'request':
      for (let time = 0; time < step.request.times; time++) await client.request(step.request);
      return;
    case 'send':
      return client.send(step.text);
    case 'frames':
      if (!(client instanceof ClientFrames)) throw new Error('frames need a client of frames');
      return client.frames(step.frames);
    case 'read':
      return await client.read(step.count, step.of);
    case 'read-bytes':
      return await client.readBytes(step.bytes);
    case 'read-close':
      return await client.readClose();
    case 'rst':
      return client.rst(step.code);
    case 'end':
      return client.end();
    case 'reset':
      return client.reset();
    case 'close':
      return client.close();
  }
}

async function control(
  step: Extract<Step, { kind: 'await' | 'release' | 'until' }>,
  world: ClientWorld,
  saw: string[],
): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  const until = async (what: string, isSo: () => boolean | Promise<boolean>): Promise<void> => {
    while (!(await isSo())) {
      if (Date.now() > deadline) return void saw.push(`waited in vain for ${what}`);
      await delay(5); // polls peers that cannot call back
    }
  };
  switch (step.kind) {
    case 'release':
      return world.upstreams.get(step.upstream)?.release();
    case 'await':
      return await until(`${step.requests} requests at ${step.upstream}`, () => {
        return (world.upstreams.get(step.upstream)?.requests() ?? 0) >= step.requests;
      });
    case 'until':
      return await until(`${step.stat} to be ${step.is}`, async () => (await world.stat(step.stat)) >= step.is);
  }
}
