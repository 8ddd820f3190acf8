import { globSync } from 'node:fs';
import { join } from 'node:path';
import { type DockerDaemon, importMachineImage, runOrThrow } from '@flotilla/testing/docker';
import { repository } from '../mesh.ts';

export const REDIS_IMAGE = 'local/redis:7';
const BASE_IMAGE = 'local/node:26';
const FIREWALL_PROGRAMS = ['iptables', 'ip6tables'].flatMap((name) => [name, `${name}-save`, `${name}-restore`]);

/** Makes every image that deploy/compose runs, from this machine's programs and this checkout; nothing is pulled. */
export async function makeImages(daemon: DockerDaemon): Promise<void> {
  await importMachineImage(daemon, {
    tag: BASE_IMAGE,
    programs: {
      '/usr/local/bin/node': process.execPath,
      '/bin/sleep': '/bin/sleep',
      // For the one RUN of the Dockerfile, which finds everything there.
      '/bin/sh': '/bin/sh',
      ...Object.fromEntries([...FIREWALL_PROGRAMS, 'ip'].map((name) => [`/usr/sbin/${name}`, `/usr/sbin/${name}`])),
    },
    files: globSync('/usr/lib/*/xtables/*.so'),
  });
  await importMachineImage(daemon, {
    tag: REDIS_IMAGE,
    programs: {
      '/usr/local/bin/redis-server': '/usr/bin/redis-server',
      '/usr/local/bin/redis-cli': '/usr/bin/redis-cli',
      '/bin/sh': '/bin/sh',
      '/bin/cat': '/bin/cat',
    },
    folders: { data: 999 },
  });
  await runOrThrow(process.execPath, [join(repository, 'tools/images/build.ts'), '--base', BASE_IMAGE], {
    cwd: repository,
    env: daemon.environment,
  });
}
