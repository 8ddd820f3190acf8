import type { NatState } from './nat-state.ts';
import type { CaptureSettings } from './settings.ts';

/** The chains of ours. Each begins with the same word, which tells them from everybody else's. */
export const CHAIN_PREFIX = 'FLOTILLA_';
const INBOUND = `${CHAIN_PREFIX}INBOUND`;
const IN_REDIRECT = `${CHAIN_PREFIX}IN_REDIRECT`;
const OUTPUT = `${CHAIN_PREFIX}OUTPUT`;
const REDIRECT = `${CHAIN_PREFIX}REDIRECT`;

/** HBONE, agent, readiness, metrics and administration: the proxy answers there itself. */
const PROXY_PORTS = [15_000, 15_008, 15_020, 15_021, 15_090];
const SSH_PORT = 22;

interface Family {
  readonly version: 4 | 6;
  readonly loopback: string;
  /** Source of the proxy's connections to its application: what it sends there has been inbound already. */
  readonly inboundSource: string;
}

export const IPV4: Family = { version: 4, loopback: '127.0.0.0/8', inboundSource: '127.0.0.6/32' };
export const IPV6: Family = { version: 6, loopback: '::1/128', inboundSource: '::6/128' };

/**
 * The rules that capture what the settings say, of one address family. Only TCP is touched.
 *
 * - PREROUTING -> INBOUND: what comes from outside -> IN_REDIRECT
 * - OUTPUT -> OUTPUT: what starts here -> REDIRECT; the proxy's own connections pass, except that those to an address
 *   of this workload (its application calls a service that it is itself part of) go INBOUND
 */
export function captureRules(settings: CaptureSettings, family: Family): NatState {
  return {
    chains: new Map([
      [IN_REDIRECT, [`-p tcp -j REDIRECT --to-ports ${settings.inboundPort}`]],
      [REDIRECT, [`-p tcp -j REDIRECT --to-ports ${settings.outboundPort}`]],
      [INBOUND, inboundRules(settings)],
      [OUTPUT, outputRules(settings, family)],
    ]),
    jumps: [`PREROUTING -p tcp -j ${INBOUND}`, `OUTPUT -p tcp -j ${OUTPUT}`],
  };
}

function inboundRules({ inboundPorts, excludeInboundPorts }: CaptureSettings): string[] {
  const excluded = new Set([...PROXY_PORTS, ...excludeInboundPorts]);
  if (inboundPorts !== '*') {
    return inboundPorts.filter((port) => !excluded.has(port)).map((port) => `-p tcp --dport ${port} -j ${IN_REDIRECT}`);
  }
  excluded.add(SSH_PORT);
  return [
    ...[...excluded].sort((a, b) => a - b).map((port) => `-p tcp --dport ${port} -j RETURN`),
    `-p tcp -j ${IN_REDIRECT}`,
  ];
}

function outputRules(settings: CaptureSettings, { version, loopback, inboundSource }: Family): string[] {
  const { proxyUid, proxyGid, outboundRanges, excludeOutboundRanges } = settings;
  const owners = [`-m owner --uid-owner ${proxyUid}`, `-m owner --gid-owner ${proxyGid}`];
  const mine = <R extends { readonly family: 4 | 6 }>(list: readonly R[]) =>
    list.filter(({ family }) => family === version);
  return [
    ...settings.excludeOutboundPorts.map((port) => `-p tcp --dport ${port} -j RETURN`),
    `-s ${inboundSource} -o lo -j RETURN`,
    ...owners.map((owner) => `! -d ${loopback} -o lo -p tcp ${owner} -j ${INBOUND}`),
    '-o lo -j RETURN',
    ...owners.map((owner) => `${owner} -j RETURN`),
    `-d ${loopback} -j RETURN`,
    ...mine(excludeOutboundRanges).map(({ text }) => `-d ${text} -j RETURN`),
    ...settings.outboundPorts.map((port) => `-p tcp --dport ${port} -j ${REDIRECT}`),
    ...(outboundRanges === '*'
      ? [`-p tcp -j ${REDIRECT}`]
      : mine(outboundRanges).map(({ text }) => `-d ${text} -p tcp -j ${REDIRECT}`)),
  ];
}
