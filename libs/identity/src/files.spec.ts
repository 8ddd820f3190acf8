import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@flotilla/observe';
import { FakeClock } from '@flotilla/runtime';
import { createTestAuthority } from '@flotilla/spiffe/testing';
import type { WorkloadCertificate } from '@flotilla/spiffe';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFileIdentity } from './files.ts';

const id = { trustDomain: 'cluster.local', namespace: 'istio-system', serviceAccount: 'galley' };
const authority = await createTestAuthority();
const LOOK_MS = 5_000;

let directory: string;
let clock: FakeClock;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'flotilla-identity-'));
  clock = new FakeClock();
});
afterEach(() => rmSync(directory, { recursive: true }));

const file = (name: string) => join(directory, name);

function write({ chainPem, privateKeyPem, rootsPem }: WorkloadCertificate): void {
  writeFileSync(file('cert.pem'), chainPem);
  writeFileSync(file('key.pem'), privateKeyPem);
  writeFileSync(file('roots.pem'), rootsPem);
}

const issue = (ttlMs = 3_600_000) => authority.issue(id, { nowMs: clock.now(), ttlMs });
const open = () =>
  openFileIdentity({
    certificateFile: file('cert.pem'),
    keyFile: file('key.pem'),
    rootsFile: file('roots.pem'),
    clock,
    logger: silentLogger,
  });

describe('an identity from files', () => {
  it('is taken anew when somebody renews them, and told once', async () => {
    write(await issue());
    const identity = open();
    const told: string[] = [];
    identity.subscribe(({ serial }) => told.push(serial));
    const next = await issue();
    write(next);
    clock.advance(2 * LOOK_MS);
    expect(identity.current()?.serial).toBe(next.serial);
    expect(told).toEqual([next.serial]);
    identity.close();
    expect(clock.pendingCount).toBe(0);
  });

  it('stays the last good one while the files do not fit together', async () => {
    const first = await issue();
    write(first);
    const identity = open();
    const next = await issue();
    writeFileSync(file('cert.pem'), next.chainPem);
    clock.advance(LOOK_MS);
    expect(identity.current()?.serial).toBe(first.serial);
    writeFileSync(file('key.pem'), next.privateKeyPem);
    clock.advance(LOOK_MS);
    expect(identity.current()?.serial).toBe(next.serial);
    identity.close();
  });

  it('is refused when it has expired, with a word about clocks', async () => {
    write(await issue(1_000));
    clock.advance(60_000);
    expect(open).toThrow(/cert\.pem expired on 20/);
  });

  it('is refused when others can read the key', async () => {
    write(await issue());
    chmodSync(file('key.pem'), 0o644);
    chmodSync(directory, 0o755);
    expect(open).toThrow(/key\.pem can be read by others \(mode 0644\)/);
  });

  it('is refused when a file is missing, with its name', async () => {
    write(await issue());
    rmSync(file('key.pem'));
    expect(open).toThrow(/no such file or directory, .*key\.pem/);
  });
});
