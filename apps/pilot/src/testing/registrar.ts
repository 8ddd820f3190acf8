import { createInProcessMembership, type Membership } from '@flotilla/bus';
import { silentLogger } from '@flotilla/observe';
import type { Clock } from '@flotilla/runtime';
import { Alarms } from '../binding/alarms.ts';
import { Follower } from '../ingest/follow.ts';
import { Registration, type RegistrationSettings } from '../ingest/registration.ts';
import { create } from '@bufbuild/protobuf';
import { NodeSchema } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import { applyUpdate, emptyMesh, type Mesh, meshDefaults, parseProxyNode, type ProxyNode } from '@flotilla/translate';
import { meshConfig, sidecarNode, type SidecarOptions } from '@flotilla/translate/testing';
import type { FakeGalley } from './fake-galley.ts';

export interface Registrar {
  readonly id: string;
  readonly registration: Registration;
  readonly alarms: Alarms;
  mesh(): Mesh;
  /** As `kill -9`: it says no more, and is no member any more. */
  kill(): Promise<void>;
}

export interface RegistrarOptions {
  readonly id: string;
  readonly galley: FakeGalley;
  readonly clock: Clock;
  /** Ids of the pilots that live. `null`: this one does not know. */
  readonly present: Set<string> | null;
  readonly settings: RegistrationSettings;
  /** Instead of one that goes by `present`. */
  readonly membership?: Membership;
}

/** The part of a pilot that registers workloads, without streams: it follows a galley and is told who connects. */
export async function startRegistrar(options: RegistrarOptions): Promise<Registrar> {
  const { id, galley, clock, present, settings } = options;
  const own = present === null ? null : createInProcessMembership(present);
  await own?.join(id);
  const shared = { clock, random: () => 0.5, logger: silentLogger };
  const alarms = new Alarms({ clock, logger: silentLogger, count: () => undefined });
  const registration = new Registration({
    ...shared,
    alarms,
    pilotId: id,
    membership: options.membership ?? own,
    galley: galley.transport,
    settings,
  });
  let mesh = emptyMesh({
    config: meshDefaults(meshConfig({})),
    trustDomain: 'cluster.local',
    domainSuffix: 'cluster.local',
    rootNamespace: 'istio-system',
    clusterId: 'Kubernetes',
  });
  const follower = new Follower({
    ...shared,
    galley: galley.transport,
    bus: galley.bus,
    onUpdate(update) {
      mesh = applyUpdate(mesh, update);
      registration.update(mesh);
    },
  });
  await follower.start();
  return {
    id,
    registration,
    alarms,
    mesh: () => mesh,
    async kill() {
      registration.close();
      follower.close();
      await own?.close();
    },
  };
}

export function proxyNode(options: SidecarOptions): ProxyNode {
  return parseProxyNode(create(NodeSchema, sidecarNode(options)));
}

/** Lets everything that is under way, and waits for no clock, come to its end. */
export async function settle(turns = 40): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
}
