import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { FlotillaError } from '@flotilla/runtime';
import { PortAllocator } from './ports.ts';
import { resolveProgram } from './program.ts';

describe('PortAllocator', () => {
  it('hands out no port twice', async () => {
    const allocator = new PortAllocator();
    const ports = await Promise.all(Array.from({ length: 20 }, () => allocator.free()));
    expect(new Set(ports).size).toBe(20);
  });

  it('says who wanted a port that is in use, and how to find the other', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    // A listening TCP server always has an AddressInfo.
    const { port } = server.address() as AddressInfo;
    const failure = await new PortAllocator().claim(port, 'gateway in').catch(FlotillaError.from);
    expect(failure).toMatchObject({ code: 'system', message: `port ${port} for gateway in is in use` });
    server.close();
  });

  it('refuses a port that it handed out itself', async () => {
    const allocator = new PortAllocator();
    const port = await allocator.free();
    await expect(allocator.claim(port, 'gateway in')).rejects.toThrow('is in use');
  });
});

describe('resolveProgram', () => {
  it('finds a program on the search path', () => {
    expect(resolveProgram('sh', '/', '/nowhere:/bin')).toBe('/bin/sh');
  });

  it('takes node to be the Node that runs us', () => {
    expect(resolveProgram('node', '/', '')).toBe(process.execPath);
  });

  it.each([
    ['flotilla-no-such-program', 'Looked in every folder of PATH'],
    ['./no-such-file', 'Looked at /tmp/no-such-file'],
  ])('says that %s does not exist, and where it looked', (program, hint) => {
    try {
      resolveProgram(program, '/tmp', '/bin');
      expect.unreachable();
    } catch (error) {
      expect(FlotillaError.from(error)).toMatchObject({ code: 'invalid', hint: expect.stringContaining(hint) });
    }
  });
});
