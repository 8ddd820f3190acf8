import {
  PilotService,
  type ProxyStatus,
  SyncState,
  type TypeStatus,
} from '@flotilla/wire/flotilla/pilot/v1/pilot_pb.js';
import { ExitCode } from '@flotilla/service/process';
import { formatTable } from '../terminal/table.ts';
import { type ApiOptions, call, openApi } from './client.ts';
import { isSynced } from './synced.ts';

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

const COLUMNS = [
  ['CDS', 'Cluster'],
  ['LDS', 'Listener'],
  ['EDS', 'ClusterLoadAssignment'],
  ['RDS', 'RouteConfiguration'],
] as const;

/** `flotilla proxy-status`: exit code 1 when a proxy is not in sync. */
export async function proxyStatus(options: ProxyStatusOptions): Promise<void> {
  const api = openApi(options);
  const response = await call(() => api.client(PilotService).listProxies({}));
  if (!response.proxies.every(isSynced)) process.exitCode = ExitCode.no;
  if (options.output === 'json') {
    console.log(JSON.stringify({ version: Number(response.version), proxies: response.proxies.map(toPlain) }, null, 2));
    return;
  }
  console.log(
    formatTable(
      ['PROXY', ...COLUMNS.map(([short]) => short), 'VERSION', 'PROTOCOL', 'AGENT'],
      response.proxies.map((proxy) => [
        workloadOf(proxy),
        ...COLUMNS.map(([, name]) => stateOf(proxy, name)),
        String(proxy.types.reduce((highest, type) => (type.versionAcked > highest ? type.versionAcked : highest), 0n)),
        proxy.protocol,
        proxy.agent,
      ]),
    ),
  );
  for (const proxy of response.proxies) {
    for (const type of proxy.types) {
      if (type.errorDetail !== '') console.log(`${workloadOf(proxy)} refused ${type.typeUrl}: ${type.errorDetail}`);
    }
  }
  printOmissions(response.proxies);
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
    console.log(`left out for ${who}: ${omission}`);
  }
}

function workloadOf(proxy: ProxyStatus): string {
  return proxy.nodeId.split('~')[2] ?? proxy.nodeId;
}

function stateOf(proxy: ProxyStatus, typeName: string): string {
  const type = proxy.types.find(({ typeUrl }) => typeUrl.endsWith(`.${typeName}`));
  return STATE_WORDS[type?.state ?? SyncState.NOT_SENT];
}

function toPlain(proxy: ProxyStatus): object {
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
