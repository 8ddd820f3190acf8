import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { silentLogger } from '@flotilla/observe';
import { describe, expect, it } from 'vitest';
import { admitUsers, decodeAnswer, encodeQuestion } from './peer-user.ts';
import { openSocketDiagnosis } from './socket-diagnosis.ts';

const ends = (remoteAddress: string, localAddress: string) => ({
  ...{ remoteAddress, remotePort: 0xabcd, localAddress, localPort: 80 },
});

describe('the question whose a connection is', () => {
  it.each([
    ['IPv4', '127.0.0.1', '127.0.0.2', 2, '7f000001', '7f000002'],
    ['IPv4 through an IPv6 socket', '::ffff:127.0.0.1', '::ffff:127.0.0.2', 2, '7f000001', '7f000002'],
    ['IPv6', '::1', 'fd00:1::2', 10, '00000000000000000000000000000001', 'fd000001000000000000000000000002'],
  ])('names both ends: %s', (_, remote, local, family, source, destination) => {
    const question = encodeQuestion(ends(remote, local));
    expect(question?.[16]).toBe(family);
    expect(question?.toString('hex', 24, 28)).toBe('abcd0050');
    expect(question?.toString('hex', 28, 28 + source.length / 2)).toBe(source);
    expect(question?.toString('hex', 44, 44 + destination.length / 2)).toBe(destination);
  });

  it('is none for a Unix socket, nor for ends of two families', () => {
    expect(encodeQuestion({ remoteAddress: undefined, remotePort: undefined })).toBeNull();
    expect(encodeQuestion(ends('127.0.0.1', '::1'))).toBeNull();
  });
});

describe('the answer', () => {
  const answer = (state: number, user: number, inode: number, type = 20) => {
    const words = new Uint32Array(22);
    words[16 + 4] = user;
    words[17 + 4] = inode;
    const bytes = Buffer.from(words.buffer);
    new Uint16Array(words.buffer)[2] = type;
    bytes[17] = state;
    return bytes;
  };
  it.each([
    ['is the user of an open socket', answer(1, 1001, 7), 1001],
    ['is nobody where its process has closed it', answer(4, 0, 0), null],
    ['is nobody where somebody only listens', answer(10, 1001, 7), null],
    ['is nobody for an error', answer(1, 1001, 7, 2), null],
    ['is nobody for nothing', Buffer.alloc(0), null],
  ])('%s', (_, bytes, user) => {
    expect(decodeAnswer(bytes)).toBe(user);
  });
});

describe.runIf(process.platform === 'linux')('on this machine', () => {
  it.each(['127.0.0.1', '::1'])('a connection of this user to %s is admitted, and no other', async (host) => {
    const diagnosis = await openSocketDiagnosis();
    const server = createServer();
    await once(server.listen(0, host), 'listening');
    const { port } = server.address() as { port: number }; // listening on TCP
    const script = `require('net').connect(${port}, '${host}'); process.stdin.resume()`;
    const client = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'ignore', 'inherit'] });
    const [socket] = (await once(server, 'connection')) as [Socket];
    const user = process.getuid?.() ?? -1;
    let refused = 0;
    const facts = { logger: silentLogger, onRefused: () => (refused += 1) };
    expect(admitUsers([user], diagnosis, facts)(socket)).toBe(true);
    expect(admitUsers([user + 1], diagnosis, facts)(socket)).toBe(false);
    // Nobody's any more once its process is gone.
    const closed = once(socket.resume(), 'end');
    client.kill('SIGKILL');
    await closed;
    expect(admitUsers([user], diagnosis, facts)(socket)).toBe(false);
    expect(refused).toBe(2);
    socket.destroy();
    server.close();
    diagnosis.close();
  });
});
