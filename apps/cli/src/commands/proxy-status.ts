import { isSynced, type PilotReport, workloadOf } from '@flotilla/client';
import {
  type ClaimAlarm,
  ClaimAlarm_Kind,
  type ProxyStatus,
  SyncState,
  type TypeStatus,
  type WithheldResource,
} from '@flotilla/wire/flotilla/pilot/v1/pilot_pb.js';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { ExitCode } from '@flotilla/service/process';
import { printLine, printMessage } from '@flotilla/sockets/standard-streams';
import { formatTable } from '../terminal/table.ts';
import { type ApiOptions, openMesh } from './client.ts';

export interface ProxyStatusOptions extends ApiOptions {
  readonly output?: string;
}

const STATE_WORDS: Readonly<Record<SyncState, string>> = {
  [SyncState.UNSPECIFIED]: 'UNKNOWN',
  [SyncState.NOT_SENT]: 'NOT SENT',
  [SyncState.STALE]: 'STALE',
  [SyncState.SYNCED]: 'SYNCED',
  [SyncState.REFUSED]: 'REFUSED',
};

const ALARM_WORDS: Readonly<Record<ClaimAlarm_Kind, string>> = {
  [ClaimAlarm_Kind.UNSPECIFIED]: 'unknown',
  [ClaimAlarm_Kind.REFUSED]: 'refused',
  [ClaimAlarm_Kind.OVERRIDDEN]: 'overridden',
  [ClaimAlarm_Kind.CONTESTED]: 'contested',
};

const COLUMNS = [
  ['CDS', 'Cluster'],
  ['LDS', 'Listener'],
  ['EDS', 'ClusterLoadAssignment'],
  ['RDS', 'RouteConfiguration'],
] as const;

/**
 * `flotilla proxy-status`: exit code 1 when a proxy is not in sync, 3 when a pilot is away: what is shown then is not
 * everything.
 */
export async function proxyStatus(options: ProxyStatusOptions): Promise<void> {
  const pilots = await openMesh(options).listProxies();
  const away = pilots.flatMap(({ error }) => (error === null ? [] : [error]));
  const [first] = away;
  if (first !== undefined && away.length === pilots.length) throw first;
  const rows = pilots.flatMap((pilot) => pilot.proxies.map((proxy) => ({ pilot, proxy })));
  const proxies = rows.map(({ proxy }) => proxy);
  const withheld = pilots.flatMap((pilot) => pilot.withheld);
  if (!proxies.every(isSynced) || withheld.length > 0) process.exitCode = ExitCode.no;
  if (away.length > 0) process.exitCode = ExitCode.unreachable;
  for (const error of away) printMessage(`flotilla: ${error.message}: its proxies are not shown`);
  if (options.output === 'json') {
    printLine(JSON.stringify(toPlain(pilots), null, 2));
    return;
  }
  const isOnePilot = pilots.length === 1;
  printLine(
    formatTable(
      ['PROXY', ...COLUMNS.map(([short]) => short), 'VERSION', 'PROTOCOL', 'AGENT', ...(isOnePilot ? [] : ['PILOT'])],
      rows.map(({ pilot, proxy }) => [
        workloadOf(proxy),
        ...COLUMNS.map(([, name]) => stateOf(proxy, name)),
        String(proxy.types.reduce((highest, type) => (type.versionAcked > highest ? type.versionAcked : highest), 0n)),
        proxy.protocol,
        proxy.agent,
        ...(isOnePilot ? [] : [nameOf(pilot)]),
      ]),
    ),
  );
  printRefusals(proxies);
  printWithheld(withheld);
  printOmissions(proxies);
  printClaimAlarms(pilots.flatMap(({ claimAlarms }) => claimAlarms));
}

function nameOf({ url, pilotId }: PilotReport): string {
  return pilotId === '' ? url : `${pilotId} at ${url}`;
}

function printRefusals(proxies: readonly ProxyStatus[]): void {
  for (const proxy of proxies) {
    for (const type of proxy.types) {
      if (type.errorDetail !== '') printLine(`${workloadOf(proxy)} refused ${type.typeUrl}: ${type.errorDetail}`);
    }
  }
}

/** Resources that some kind of proxy refuses, each once, whichever pilot was told. */
function printWithheld(withheld: readonly WithheldResource[]): void {
  const lines = withheld.map(({ agent, kind, namespace, name, origin, version, keptVersion, suspected, reason }) => {
    const stands = keptVersion === 0n ? 'it is left out there' : `its version ${keptVersion} stays in force there`;
    const verb = suspected ? 'may be refused' : 'is refused';
    return `${origin}: ${kind} ${namespace}/${name} (version ${version}) ${verb} by ${agent}, and ${stands}: ${reason}`;
  });
  for (const line of new Set(lines)) printLine(line);
}

/** What pilot left out, each once, with the proxies that it concerns. */
function printOmissions(proxies: readonly ProxyStatus[]): void {
  const concerned = new Map<string, string[]>();
  for (const proxy of proxies) {
    for (const omission of proxy.omissions) {
      concerned.set(omission, [...(concerned.get(omission) ?? []), workloadOf(proxy)]);
    }
  }
  for (const [omission, names] of concerned) {
    const who = names.length === proxies.length ? 'all proxies' : names.join(', ');
    printLine(`left out for ${who}: ${omission}`);
  }
}

/** What proxies said of themselves and may not. */
function printClaimAlarms(alarms: readonly ClaimAlarm[]): void {
  for (const { kind, nodeId, identity, reason, count, lastAt } of alarms) {
    const last = lastAt === undefined ? '' : `, last at ${new Date(timestampMs(lastAt)).toISOString()}`;
    printLine(`ALARM ${ALARM_WORDS[kind]}: ${nodeId} with ${identity}: ${reason} (${count} times${last})`);
  }
}

function stateOf(proxy: ProxyStatus, typeName: string): string {
  const type = proxy.types.find(({ typeUrl }) => typeUrl.endsWith(`.${typeName}`));
  return STATE_WORDS[type?.state ?? SyncState.NOT_SENT];
}

/** `version` is what every pilot has at least. */
function toPlain(pilots: readonly PilotReport[]): object {
  const versions = pilots.flatMap(({ version }) => (version === null ? [] : [Number(version)]));
  return {
    version: Math.min(...versions),
    pilots: pilots.map(({ url, pilotId, version, error }) => ({
      url,
      pilotId,
      version: version === null ? null : Number(version),
      error: error?.message ?? null,
    })),
    withheld: pilots.flatMap(({ url, withheld }) => withheld.map((each) => ({ ...plainWithheld(each), pilot: url }))),
    claimAlarms: pilots.flatMap(({ url, claimAlarms }) =>
      claimAlarms.map(({ kind, nodeId, identity, reason, count }) => ({
        kind: ALARM_WORDS[kind],
        ...{ nodeId, identity, reason, count, pilot: url },
      })),
    ),
    proxies: pilots.flatMap(({ url, proxies }) => proxies.map((proxy) => ({ ...plainProxy(proxy), pilot: url }))),
  };
}

function plainWithheld(withheld: WithheldResource): object {
  const { agent, kind, namespace, name, origin, version, keptVersion, typeUrl, reason, suspected } = withheld;
  const versions = { version: Number(version), keptVersion: keptVersion === 0n ? null : Number(keptVersion) };
  return { agent, kind, namespace, name, origin, ...versions, typeUrl, reason, suspected };
}

function plainProxy(proxy: ProxyStatus): object {
  const { nodeId, agent, identity, mode, protocol, omissions } = proxy;
  return { nodeId, agent, identity, mode, protocol, omissions: [...omissions], types: proxy.types.map(plainType) };
}

function plainType(type: TypeStatus): object {
  return {
    typeUrl: type.typeUrl,
    state: STATE_WORDS[type.state],
    versionSent: Number(type.versionSent),
    versionAcked: Number(type.versionAcked),
    resourceCount: type.resourceCount,
    resourcesPushed: Number(type.resourcesPushed),
    errorDetail: type.errorDetail,
  };
}
