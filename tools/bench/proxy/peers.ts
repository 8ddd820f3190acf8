import { type Door, DOORS, type Plan } from './plan.ts';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { envoyYaml } from './envoy-yaml.ts';
import { haproxyConfig } from './haproxy-config.ts';
import { nginxConfig } from './nginx-config.ts';
import { MEASURED_CORE, type Pinned, startPinned } from './pinned.ts';

export const PEER_NAMES = ['flotilla', 'envoy', 'haproxy', 'nginx'] as const;
export type PeerName = (typeof PEER_NAMES)[number];

export interface PeerPrograms {
  readonly node: string;
  /** The proxy's bundle. */
  readonly flotilla: string;
  readonly envoy: string;
  readonly haproxy: string;
  readonly nginx: string;
}

/** nginx has no proxying of bytes unless its stream module is there. */
export function has(peer: PeerName, door: Door): boolean {
  return !(peer === 'nginx' && door === 'tcp');
}

/** Starts one peer, on the measured core, with one worker. */
export function startPeer(peer: PeerName, plan: Plan, programs: PeerPrograms, folder: string): Promise<Pinned> {
  mkdirSync(join(folder, peer), { recursive: true });
  const write = (name: string, text: string): string => {
    const file = join(folder, peer, name);
    writeFileSync(file, text);
    return file;
  };
  const ports = DOORS.filter((door) => has(peer, door)).map((door) => plan.doors[door]);
  const start = (command: readonly string[]): Promise<Pinned> => startPinned(MEASURED_CORE, command, ports);
  switch (peer) {
    case 'flotilla':
      return start([programs.node, programs.flotilla, '-c', write('proxy.yaml', envoyYaml(plan))]);
    case 'envoy':
      return start([
        ...[programs.envoy, '-c', write('envoy.yaml', envoyYaml(plan)), '--concurrency', '1'],
        ...['--disable-hot-restart', '-l', 'error'],
      ]);
    case 'haproxy':
      return start([programs.haproxy, '-db', '-f', write('haproxy.cfg', haproxyConfig(plan))]);
    case 'nginx':
      return start([programs.nginx, '-p', join(folder, peer), '-c', write('nginx.conf', nginxConfig(plan))]);
  }
}
