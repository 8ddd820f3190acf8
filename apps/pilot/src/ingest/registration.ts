import type { Transport } from '@connectrpc/connect';
import type { Membership } from '@flotilla/bus';
import { formatKey } from '@flotilla/model';
import type { Logger } from '@flotilla/observe';
import type { Clock, Random, Timer } from '@flotilla/runtime';
import type { Config, Mesh, ProxyNode } from '@flotilla/translate';
import type { Alarms } from '../binding/alarms.ts';
import { EntryWriter } from './entry-writer.ts';
import { OrphanSearch } from './orphans.ts';
import {
  controllerOf,
  type EntryDocument,
  entryOf,
  instanceOf,
  isReleased,
  isSameEntry,
  keyOf,
  released,
} from './workload-entry.ts';

export interface RegistrationSettings {
  /** How long an entry outlives its proxy's last stream. */
  readonly graceMs: number;
  /** How long an entry outlives the pilot that wrote it: enough for its proxy to reconnect to another. */
  readonly orphanGraceMs: number;
}

/**
 * The grace is longer than the longest pause of a proxy between two tries: where the control plane was away, proxies come
 * back one by one, and none may find the others' endpoints gone. A proxy that goes for good says so.
 */
export const DEFAULT_REGISTRATION: RegistrationSettings = { graceMs: 10_000, orphanGraceMs: 15_000 };

export interface RegistrationOptions {
  /** Unique to this process among all pilots. */
  readonly pilotId: string;
  readonly membership: Membership | null;
  readonly galley: Transport;
  readonly settings: RegistrationSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly alarms: Alarms;
}

/** A proxy that is connected, and the entry that it is to have. */
interface Claimant {
  readonly nodeId: string;
  readonly identity: string;
  readonly instance: string;
  readonly entry: EntryDocument;
  streams: number;
}

interface Presence extends Claimant {
  /** Others that claim the same entry while its holder is connected. */
  readonly rivals: Claimant[];
  leaving: Timer | null;
  /**
   * The version since which galley has the entry as this pilot wrote it; `null` while that is not known, as when galley
   * refused it. A mesh of that version or a later one without the entry says that somebody else removed or changed it.
   */
  presentSince: number | null;
}

/**
 * Keeps one WorkloadEntry in galley for every proxy that is connected with its own identity to any of the pilots. The
 * entry says which pilot controls it, the one that the proxy connected to last:
 *
 * ```
 * connected ─▶ written with this pilot as controller; galley makes no version of it when it has the very same
 * last stream ends ─▶ grace ─▶ removed, if this pilot is still its controller
 *                      └─ it said that it goes: without grace
 *                      └─ back within the grace: written, as above
 * missing while connected ─▶ written again
 * changed while connected ─▶ written again, unless another pilot controls it: the proxy went there, or has a stream
 *                            there too, and two pilots must not take it from each other for ever
 * controller dead ─▶ connected here: written; nowhere: removed after the orphan grace (`orphans`)
 * claimed by another proxy while its own is connected ─▶ the first keeps it, and an alarm is raised; when that one goes,
 *                                                        the next has it
 * ```
 * Where two pilots hold a stream of one proxy and the later one ends first, the entry goes with it and comes back at
 * once. Galley decides every removal against the controller at that moment, so it never hits what another pilot has
 * just written. Closing removes nothing: workloads live on when pilot goes.
 */
export class Registration {
  readonly #options: RegistrationOptions;
  readonly #writer: EntryWriter;
  readonly #orphans: OrphanSearch;
  readonly #presences = new Map<string, Presence>();
  #mesh: Mesh | null = null;
  #isClosed = false;

  constructor(options: RegistrationOptions) {
    const { galley, clock, random, logger, settings, pilotId, membership } = options;
    this.#options = options;
    this.#writer = new EntryWriter({
      galley,
      clock,
      random,
      logger,
      settleMs: settings.orphanGraceMs,
      onWritten: (id, entry, version) => this.#written(id, entry, version),
    });
    this.#orphans = new OrphanSearch({
      pilotId,
      membership,
      clock,
      logger,
      graceMs: settings.orphanGraceMs,
      entries: () => this.#mesh?.workloadEntries ?? [],
      isHere: (id) => this.#presences.has(id),
      onFoundHere: (id) => this.#adopt(id),
      onOrphan: (id, key, controller) => this.#writer.remove(id, { key, controller }),
    });
  }

  /** The mesh as ingested; with the first one, the search for orphans begins. */
  update(mesh: Mesh): void {
    const previous = this.#mesh;
    this.#mesh = mesh;
    if (previous === null) this.#orphans.start();
    // A store that was made anew counts from the beginning: what was written in its former life is not in this one.
    else if (mesh.version < previous.version) this.#restart(mesh);
    else if (previous.workloadEntries !== mesh.workloadEntries) this.#heal(mesh);
  }

  connected(node: ProxyNode, identity: string): void {
    const { pilotId, alarms } = this.#options;
    const claimant = { nodeId: node.id, identity, instance: node.instance, entry: entryOf(node, pilotId), streams: 1 };
    const id = formatKey(keyOf(claimant.entry));
    const known = this.#presences.get(id);
    if (known !== undefined && known.streams > 0 && !isSameProxy(known, claimant)) {
      const rival = known.rivals.find((each) => isSameProxy(each, claimant));
      if (rival === undefined) known.rivals.push(claimant);
      else rival.streams += 1;
      const reason = `${id} is that of another proxy, which is connected${known.identity === identity ? '' : ` as ${known.identity}`}`;
      alarms.raise({ kind: 'contested', nodeId: node.id, identity, reason });
      return;
    }
    known?.leaving?.cancel();
    this.#hold(id, { ...claimant, streams: (known?.streams ?? 0) + 1 }, known?.rivals ?? []);
  }

  disconnected(node: ProxyNode, identity: string, isLeaving = false): void {
    if (this.#isClosed) return;
    const key = keyOf(entryOf(node, this.#options.pilotId));
    const id = formatKey(key);
    const presence = this.#presences.get(id);
    if (presence === undefined) return;
    const { rivals } = presence;
    const gone = { identity, instance: node.instance };
    if (!isSameProxy(presence, gone)) {
      const rival = rivals.find((each) => isSameProxy(each, gone));
      if (rival === undefined) return;
      rival.streams -= 1;
      if (rival.streams === 0) rivals.splice(rivals.indexOf(rival), 1);
      return;
    }
    presence.streams -= 1;
    if (presence.streams > 0) return;
    const next = rivals.shift();
    if (next !== undefined) {
      this.#hold(id, next, rivals);
      return;
    }
    // What was not written yet would overtake the pilot that the proxy is connected to now.
    this.#writer.forget(id);
    const remove = () => {
      this.#presences.delete(id);
      this.#writer.remove(id, { key, controller: this.#options.pilotId });
    };
    if (isLeaving) remove();
    else presence.leaving = this.#options.clock.after(this.#options.settings.graceMs, remove);
  }

  close(): void {
    this.#isClosed = true;
    this.#writer.close();
    this.#orphans.close();
    for (const presence of this.#presences.values()) presence.leaving?.cancel();
  }

  #hold(id: string, claimant: Claimant, rivals: Claimant[]): void {
    const presence = { ...claimant, rivals, leaving: null, presentSince: null };
    this.#presences.set(id, presence);
    // Always, whatever the mesh says: it may not have heard yet of another pilot that took the entry.
    this.#want(id, presence);
  }

  #want(id: string, presence: Presence): void {
    presence.presentSince = null;
    this.#writer.write(id, presence.entry);
  }

  #heal(mesh: Mesh): void {
    const { logger, pilotId } = this.#options;
    const existing = new Map(mesh.workloadEntries.map((entry) => [formatKey(entry.key), entry]));
    for (const [id, presence] of this.#presences) {
      if (presence.presentSince === null || mesh.version < presence.presentSince || presence.streams === 0) continue;
      const found = existing.get(id);
      if (found !== undefined && isSameEntry(presence.entry, found)) continue;
      if (found !== undefined && isOfAnother(found, pilotId)) {
        this.#contest(id, presence, found);
        continue;
      }
      logger.warn(`somebody else ${found === undefined ? 'removed' : 'changed'} ${id}: it is written again`);
      this.#want(id, presence);
    }
  }

  /** Another pilot wrote the entry of a proxy that is connected here: for the same proxy, or for one like it. */
  #contest(id: string, { nodeId, identity, instance }: Presence, found: Config<'WorkloadEntry'>): void {
    const other = instanceOf(found);
    if (other === '' || instance === '' || other === instance) return;
    const reason = `${id} is claimed by another proxy too, which is connected to the pilot ${controllerOf(found)}`;
    this.#options.alarms.raise({ kind: 'contested', nodeId, identity, reason });
  }

  #restart(mesh: Mesh): void {
    for (const presence of this.#presences.values()) if (presence.presentSince !== null) presence.presentSince = 0;
    this.#heal(mesh);
  }

  #adopt(id: string): void {
    const presence = this.#presences.get(id);
    if (presence === undefined || presence.streams === 0 || this.#writer.isWriting(id)) return;
    this.#options.logger.info(`the pilot that controlled ${id} is gone, and its proxy is connected here`);
    this.#want(id, presence);
  }

  #written(id: string, entry: EntryDocument, version: number): void {
    if (this.#isClosed || isReleased(entry)) return;
    const presence = this.#presences.get(id);
    if (presence === undefined || presence.streams === 0) {
      this.#release(id, presence, entry);
      return;
    }
    // A later write is on its way.
    if (presence.entry !== entry) return;
    presence.presentSince = version;
    // The mesh may be ahead of the answer to a write already.
    if (this.#mesh !== null && this.#mesh.version > version) this.#heal(this.#mesh);
  }

  /**
   * The last stream ended while its entry was on its way to galley. The proxy may be connected to another pilot by now,
   * whose entry was written before: removing this one would take that one away. So it is left without a controller,
   * for whoever has the proxy to take, and for the search for orphans when nobody does.
   */
  #release(id: string, presence: Presence | undefined, entry: EntryDocument): void {
    presence?.leaving?.cancel();
    this.#presences.delete(id);
    this.#writer.write(id, released(entry));
  }
}

/** Whether it is one proxy that connects once more, as after a broken stream, and not another one of its name. */
function isSameProxy(a: Pick<Claimant, 'identity' | 'instance'>, b: Pick<Claimant, 'identity' | 'instance'>): boolean {
  return a.identity === b.identity && a.instance === b.instance;
}

/** An entry without a controller is nobody's: whoever has the proxy takes it. */
function isOfAnother(entry: Config<'WorkloadEntry'>, pilotId: string): boolean {
  const controller = controllerOf(entry);
  return controller !== '' && controller !== pilotId;
}
