import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildArguments, IMAGES, parseArguments, versionOf } from './plan.ts';

const root = resolve(import.meta.dirname, '../..');
const dockerfile = readFileSync(join(root, 'deploy/docker/Dockerfile'), 'utf8');
/** `[name, instructions]` of every stage. */
const stages = dockerfile
  .split(/^FROM /m)
  .slice(1)
  .map((text) => [/ AS (\w+)/.exec(text)?.[1] ?? '', text] as const);

describe('the command line', () => {
  it('makes every image by the version of the repository', () => {
    expect(parseArguments(root, [])).toEqual({ root, base: null, tag: versionOf(root), names: IMAGES });
  });

  it('takes another base, another tag and some of the images', () => {
    const plan = parseArguments(root, ['--base', 'local/node:26', '--tag', 'dev', '--only', 'proxy,pilot']);
    expect(plan).toMatchObject({ base: 'local/node:26', tag: 'dev', names: ['pilot', 'proxy'] });
    const args = buildArguments(plan, 'pilot').join(' ');
    expect(args).toContain('--target pilot --tag flotilla/pilot:dev --build-arg BASE=local/node:26');
  });

  it('says everything that is wrong at once', () => {
    expect(() => parseArguments(root, ['--bas', 'x', '--only', 'pilot,envoy', '--tag'])).toThrow(
      /"--bas" is no option.*\n--tag needs a tag\n--only envoy: there is citadel/,
    );
  });
});

describe('the Dockerfile', () => {
  it('has a target for each image, and no other stage than their base', () => {
    expect(stages.map(([name]) => name)).toEqual(['base', ...IMAGES]);
  });

  it.each(stages.filter(([name]) => name !== 'base'))('%s starts without a shell', (_, text) => {
    for (const instruction of text.match(/^(ENTRYPOINT|CMD) .*/gm) ?? []) expect(instruction).toMatch(/^\w+ \["/);
    expect(text).toMatch(/^ENTRYPOINT \["node"/m);
    expect(text.match(/^RUN (?!\["node")/gm) ?? []).toHaveLength(text.startsWith('base AS capture') ? 1 : 0);
  });

  it.each(stages.filter(([name]) => name !== 'base'))('%s runs as a user by number', (name, text) => {
    const expected = name === 'capture' ? '0:0' : name === 'proxy' ? '1337:1337' : '65532:65532';
    expect(/^USER (.*)/m.exec(text)?.[1]).toBe(expected);
  });

  it('needs no builder but the oldest', () => {
    expect(dockerfile).not.toMatch(/--(mount|chmod|link|security|network)=|^# syntax=|<<\w/m);
  });
});
