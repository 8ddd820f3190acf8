import { chmodSync, chownSync, globSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { DockerDaemon } from './daemon.ts';
import { run, runOrThrow } from './run.ts';

const ACCOUNTS: Readonly<Record<string, string>> = {
  'etc/passwd': 'root:x:0:0:root:/:/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n',
  'etc/group': 'root:x:0:\nnogroup:x:65534:\n',
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
};

const SYSTEM_FOLDERS: Readonly<Record<string, number>> = { tmp: 0, run: 0, proc: 0, sys: 0, dev: 0 };

export interface MachineImage {
  readonly tag: string;
  /** Path in the image to the program of this machine that stands there. */
  readonly programs: Readonly<Record<string, string>>;
  /** Empty folders, by path, each with the number of its owner. */
  readonly folders?: Readonly<Record<string, number>>;
  /** Patterns of what the programs load while they run, with libraries of their own that the programs have too. */
  readonly files?: readonly string[];
}

/**
 * An image made of this machine's own programs with the libraries they are linked to: no registry is asked. It has no
 * shell, no package manager and nothing else that is not named.
 */
export async function importMachineImage(
  daemon: DockerDaemon,
  { tag, programs, folders = {}, files = [] }: MachineImage,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-image-'));
  try {
    const stage = join(folder, 'stage');
    for (const [path, content] of Object.entries(ACCOUNTS)) write(join(stage, path), content);
    for (const [path, owner] of Object.entries({ ...SYSTEM_FOLDERS, ...folders })) {
      mkdirSync(join(stage, path), { recursive: true });
      chownSync(join(stage, path), owner, owner);
    }
    chmodSync(join(stage, 'tmp'), 0o1777);
    for (const [path, program] of Object.entries(programs)) {
      mkdirSync(dirname(join(stage, path)), { recursive: true });
      symlinkSync(program, join(stage, path));
    }
    const loaded = files.flatMap((pattern) => globSync(pattern));
    const libraries = await librariesOf(Object.values(programs));
    const archive = join(folder, 'image.tar');
    await runOrThrow('tar', [
      // Links are followed: what the image gets are the programs themselves.
      ...['--create', '--file', archive, '--dereference', '--absolute-names', '--transform', 's,^/,,'],
      ...['-C', stage, '.'],
      ...new Set([...libraries, ...loaded]),
    ]);
    await daemon.docker('import', '--change', 'ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', archive, tag);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/** Shared libraries, the loader included, that programs are linked to. */
async function librariesOf(programs: readonly string[]): Promise<Set<string>> {
  const libraries = new Set<string>();
  for (const program of programs) {
    const { stdout } = await run('ldd', [program]); // Fails for a program without any.
    for (const [, path] of stdout.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)) if (path !== undefined) libraries.add(path);
  }
  return libraries;
}
