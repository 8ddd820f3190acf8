import { join } from 'node:path';
import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';
import { describe, expect, it } from 'vitest';
// @ts-expect-error plain JavaScript, as ESLint's configuration is
import { openers } from './openers.js';

const root = join(import.meta.dirname, '../..');
const eslint = new ESLint({
  cwd: root,
  overrideConfigFile: true,
  overrideConfig: [
    {
      files: ['**/*.ts'],
      languageOptions: { parser: tseslint.parser },
    },
    ...openers,
  ],
});

/** What is said of a file with this text at this place; the file need not exist. */
async function said(text: string, place = 'apps/pilot/src/planted.ts'): Promise<string[]> {
  const [result] = await eslint.lintText(text, { filePath: join(root, place) });
  return (result?.messages ?? []).map(({ message }) => message);
}

describe('a bare opener', () => {
  it.each([
    ["import http2 from 'node:http2'; http2.connect('http://a');", '@flotilla/sockets/http2'],
    ["import * as http2 from 'node:http2'; http2.connect('http://a');", '@flotilla/sockets/http2'],
    ["import { performServerHandshake } from 'http2';", '@flotilla/sockets/http2'],
    ["import { connect } from 'node:net';", '@flotilla/sockets/tcp'],
    ["import { createServer as serve } from 'node:tls';", '@flotilla/sockets/tls'],
    ["import { get } from 'node:http';", '@flotilla/sockets/http'],
    ["import { fork, type ChildProcess } from 'node:child_process';", '@flotilla/sockets/child-process'],
    ["export const { spawn } = await import('node:child_process');", '@flotilla/sockets'],
    ["export const net = process.getBuiltinModule('node:net');", '@flotilla/sockets'],
    ["process.stdout.write('a');", '@flotilla/sockets/standard-streams'],
    ['export const { stderr } = process;', '@flotilla/sockets/standard-streams'],
    ["import { createGrpcTransport } from '@connectrpc/connect-node';", '@flotilla/rpc/client'],
    ["import { Redis } from 'ioredis';", '@flotilla/redis'],
  ])('is found: %s', async (text, use) => {
    expect(await said(text)).toEqual([expect.stringContaining(use)]);
  });

  it('is found in each app and lib, and in the libraries that own connections', async () => {
    for (const place of ['apps/proxy/src/http/a.ts', 'libs/match/src/a.ts', 'libs/rpc/src/client/a.ts']) {
      expect(await said("import { connect } from 'node:net';", place)).toHaveLength(1);
    }
  });

  it('is not what only types and names of a module are taken for', async () => {
    expect(
      await said(
        "import { isIP, type Socket } from 'node:net'; export const a = (s: Socket) => isIP(s.remoteAddress ?? '');",
      ),
    ).toEqual([]);
  });

  it('may stand in tests and where openers are made', async () => {
    for (const place of ['apps/pilot/src/a.spec.ts', 'apps/pilot/src/journeys/a.ts', 'libs/sockets/src/a.ts']) {
      expect(await said("import { connect } from 'node:net';", place)).toEqual([]);
    }
  });

  it('is what the checkout itself is checked for', async () => {
    // The graph of projects, which the whole configuration needs, is not asked for here: only its list of rules.
    // @ts-expect-error plain JavaScript
    const { default: whole } = await import('../../eslint.config.js');
    for (const each of openers) expect(whole).toContainEqual(expect.objectContaining({ files: each.files }));
  });
});
