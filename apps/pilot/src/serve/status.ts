import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { ConnectRouter, HandlerContext } from '@connectrpc/connect';
import { formatOrigin } from '@flotilla/model';
import { type Caller, callerOf, toConnectError } from '@flotilla/rpc';
import {
  ClaimAlarm_Kind,
  ListProxiesResponseSchema,
  ListServicesResponseSchema,
  PilotService,
  SyncState,
} from '@flotilla/wire/flotilla/pilot/v1/pilot_pb.js';
import { TYPE_URLS } from '@flotilla/xds';
import type { Mesh } from '@flotilla/translate';
import type { AlarmKind, Alarms } from '../binding/alarms.ts';
import type { Isolation, Withheld } from '../isolate/isolation.ts';
import type { AnySession, Sessions } from './sessions.ts';
import type { TypeReport } from './type-state.ts';

export interface StatusOptions {
  readonly pilotId: string;
  readonly sessions: Sessions;
  readonly isolation: Pick<Isolation, 'list'>;
  readonly mesh: () => Mesh;
  readonly alarms: Alarms;
  readonly access: { read(caller: Caller): void };
}

/** Routes of `flotilla.pilot.v1.PilotService`: who is connected and how far, and what the registry holds. */
export function statusRoutes({
  pilotId,
  sessions,
  isolation,
  mesh,
  alarms,
  access,
}: StatusOptions): (router: ConnectRouter) => void {
  const read = <T>(context: HandlerContext, answer: () => T): T => {
    try {
      access.read(callerOf(context));
    } catch (error) {
      throw toConnectError(error);
    }
    return answer();
  };
  return (router) => {
    router.service(PilotService, {
      listProxies: (_, context) =>
        read(context, () =>
          create(ListProxiesResponseSchema, {
            version: BigInt(mesh().version),
            pilotId,
            proxies: [...sessions.list()]
              .sort((a, b) => (a.node.id < b.node.id ? -1 : 1))
              .map((session) => proxyStatus(session, mesh().version)),
            withheld: isolation.list().map(withheldStatus),
            claimAlarms: alarms.list().map(({ kind, firstAtMs, lastAtMs, ...alarm }) => ({
              ...alarm,
              kind: ALARM_KINDS[kind],
              firstAt: timestampFromMs(firstAtMs),
              lastAt: timestampFromMs(lastAtMs),
            })),
          }),
        ),
      listServices: (_, context) =>
        read(context, () => create(ListServicesResponseSchema, { services: services(mesh()) })),
    });
  };
}

const ALARM_KINDS: Readonly<Record<AlarmKind, ClaimAlarm_Kind>> = {
  refused: ClaimAlarm_Kind.REFUSED,
  overridden: ClaimAlarm_Kind.OVERRIDDEN,
  contested: ClaimAlarm_Kind.CONTESTED,
};

function proxyStatus(session: AnySession, version: number) {
  const { node } = session;
  return {
    nodeId: node.id,
    agent: node.agent,
    identity: session.identity,
    mode: node.type === 'router' ? 'gateway' : node.isExplicit ? 'explicit' : 'redirect',
    connectedAt: timestampFromMs(session.connectedAtMs),
    protocol: session.protocol,
    types: session.reports().map((report) => typeStatus(report, session.meshVersion !== version)),
    omissions: [...session.omissions()],
  };
}

function withheldStatus(withheld: Withheld) {
  const { agent, resource, lastGood, type, reason, sinceMs, isSuspected } = withheld;
  const { kind, namespace, name } = resource.key;
  return {
    agent,
    kind,
    namespace,
    name,
    origin: formatOrigin(resource.origin),
    version: BigInt(resource.resourceVersion),
    keptVersion: BigInt(lastGood?.resourceVersion ?? 0),
    typeUrl: TYPE_URLS[type],
    reason,
    since: timestampFromMs(sinceMs),
    suspected: isSuspected,
  };
}

function typeStatus(report: TypeReport, isBehind: boolean) {
  return {
    typeUrl: TYPE_URLS[report.type],
    state: stateOf(report, isBehind),
    nonceSent: report.nonceSent,
    nonceAcked: report.nonceAcked,
    versionSent: BigInt(report.versionSent),
    versionAcked: BigInt(report.versionAcked),
    resourceCount: report.resourceCount,
    errorDetail: report.refusal ?? '',
    changedAt: timestampFromMs(report.changedAtMs),
    resourcesPushed: BigInt(report.resourcesPushed),
  };
}

/** `isBehind`: pilot has a newer mesh and has not looked yet what it means for this proxy. */
function stateOf(report: TypeReport, isBehind: boolean): SyncState {
  if (!report.hasAnything) return SyncState.NOT_SENT;
  if (report.refusal !== null) return SyncState.REFUSED;
  return report.isAwaiting || isBehind ? SyncState.STALE : SyncState.SYNCED;
}

function services({ registry, settings }: Mesh) {
  return registry.services.map((service) => ({
    hostname: service.hostname,
    namespace: service.namespace,
    ports: service.ports.map(({ name, number, protocol }) => ({ name, port: number, protocol })),
    endpoints: service.ports.flatMap((port) =>
      (registry.endpoints.get(service.id)?.byPort.get(port.number) ?? []).map((endpoint) => ({
        address: endpoint.address,
        port: endpoint.port,
        servicePortName: port.name,
        labels: { ...endpoint.labels },
        identity:
          endpoint.tlsMode === 'istio'
            ? `spiffe://${settings.trustDomain}/ns/${endpoint.namespace}/sa/${endpoint.serviceAccount}`
            : '',
      })),
    ),
  }));
}
