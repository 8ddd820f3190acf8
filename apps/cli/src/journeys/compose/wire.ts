import { type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DockerDaemon } from '@flotilla/testing/docker';

/** The beginning of what one end of a TCP connection sent to the other. */
export interface Flow {
  /** `172.18.0.5:41022>172.18.0.9:15006`. */
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly first: Buffer;
}

/** Packets are kept up to this length: enough of each to tell TLS from anything else. */
const SNAP_LENGTH = 256;
const FILE_HEADER = 24;
const PACKET_HEADER = 16;
const ETHERNET_HEADER = 14;

/** Records the TCP packets on a bridge until it is closed. */
export class WireTap {
  readonly #child: ChildProcess;
  readonly #file: string;

  private constructor(child: ChildProcess, file: string) {
    this.#child = child;
    this.#file = file;
  }

  static async open(daemon: DockerDaemon, bridge: string, folder: string): Promise<WireTap> {
    const file = join(folder, 'wire.pcap');
    const child = daemon.spawnInside('tcpdump', [
      ...['-i', bridge, '-n', '-U', '-s', String(SNAP_LENGTH), '--packet-buffered', '-Z', 'root', '-w', file, 'tcp'],
    ]);
    if (child.stderr === null) throw new Error('tcpdump has no standard error');
    let said = '';
    for await (const chunk of child.stderr) {
      said += String(chunk);
      if (said.includes('listening on')) return new WireTap(child, file);
    }
    throw new Error(`tcpdump ended: ${said}`);
  }

  /** Ends the recording: every packet with content, and per direction of a connection its first. */
  async close(): Promise<{ readonly payloads: readonly Flow[]; readonly flows: readonly Flow[] }> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGINT');
    await exited;
    const payloads = decodePackets(readFileSync(this.#file));
    const flows = new Map<string, Flow>();
    for (const payload of payloads) if (!flows.has(payload.name)) flows.set(payload.name, payload);
    return { payloads, flows: [...flows.values()] };
  }
}

/** The file format of libpcap, with Ethernet, IPv4 and TCP in it. */
function decodePackets(file: Buffer): Flow[] {
  const packets: Flow[] = [];
  for (let at = FILE_HEADER; at + PACKET_HEADER <= file.length;) {
    const length = file.readUInt32LE(at + 8);
    const packet = file.subarray(at + PACKET_HEADER, at + PACKET_HEADER + length);
    at += PACKET_HEADER + length;
    const ip = packet.subarray(ETHERNET_HEADER);
    if (packet.readUInt16BE(12) !== 0x0800 || ip.readUInt8(9) !== 6) continue;
    const ipLength = (ip.readUInt8(0) & 15) * 4;
    const tcp = ip.subarray(ipLength, ip.readUInt16BE(2));
    const first = tcp.subarray((tcp.readUInt8(12) >> 4) * 4);
    if (first.length === 0) continue;
    const [from, to] = [ip.subarray(12, 16).join('.'), ip.subarray(16, 20).join('.')];
    packets.push({ name: `${from}:${tcp.readUInt16BE(0)}>${to}:${tcp.readUInt16BE(2)}`, from, to, first });
  }
  return packets;
}
