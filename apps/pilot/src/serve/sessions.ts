import { type Clock, limit } from '@flotilla/runtime';
import type { Mesh } from '@flotilla/translate';
import { type DataPlaneKind, isSameKind } from '../isolate/isolation.ts';
import { WorkQueue } from '../push/queue.ts';
import { Arrivals } from './arrivals.ts';
import type { AnyRequest, ProxySession } from './session.ts';

/** A session of either protocol, as far as pushing and status care. */
export type AnySession = Pick<
  ProxySession<AnyRequest>,
  | 'node'
  | 'identity'
  | 'protocol'
  | 'connectedAtMs'
  | 'meshVersion'
  | 'isSettled'
  | 'update'
  | 'work'
  | 'reports'
  | 'omissions'
>;

/** As long as a turn of the event loop may take for proxies: so long others wait who connect, or say something. */
const TURN_MS = 10;

const OPENING_STREAMS = limit({
  name: 'pilot.opening-streams',
  what: 'streams at a time that are sent their first configuration',
  default: 64,
  unit: 'count',
  past: 'a new stream waits, connected, until another one holds its configuration, or has not answered for 5 s',
});

export interface SessionsOptions {
  readonly clock: Clock;
  readonly openingStreams?: number;
}

/** The streams there are, and the mesh they are to be brought to. */
export class Sessions {
  readonly #sessions = new Set<AnySession>();
  readonly #queue: WorkQueue<AnySession>;
  readonly #arrivals: Arrivals<AnySession>;
  /** Those that have not looked at the mesh yet. */
  readonly #outdated = new Set<AnySession>();
  /** Of the last push, those that have not done what it means for them. */
  readonly #behind = new Set<AnySession>();
  #mesh: Mesh | null = null;
  #onDrained: (() => void) | null = null;

  constructor({ clock, openingStreams = OPENING_STREAMS }: SessionsOptions) {
    this.#queue = new WorkQueue({
      work: (session, isTurnOver) => this.#work(session, isTurnOver),
      turnMs: TURN_MS,
      clock,
    });
    this.#arrivals = new Arrivals({ most: openingStreams, clock, admit: (session) => this.#look(session) });
  }

  /** A stream that is new gets the mesh when there is one, and it has its turn. */
  add(session: AnySession): void {
    this.#sessions.add(session);
    this.#arrivals.add(session);
    if (this.#mesh !== null) this.#arrivals.open();
  }

  delete(session: AnySession): void {
    this.#sessions.delete(session);
    this.#queue.delete(session);
    this.#outdated.delete(session);
    this.#arrivals.delete(session);
    this.#caughtUp(session);
  }

  /** There is something to do for a stream. */
  due(session: AnySession): void {
    if (this.#arrivals.isAdmitted(session)) this.#queue.add(session);
  }

  /** Brings every stream to a mesh, one after another; `onDrained` when the last has been. */
  push(mesh: Mesh, onDrained: () => void): void {
    this.#mesh = mesh;
    this.#onDrained = onDrained;
    this.#behind.clear();
    for (const session of this.#sessions) {
      if (!this.#arrivals.isAdmitted(session)) continue;
      this.#behind.add(session);
      this.#look(session);
    }
    this.#arrivals.open();
    if (this.#behind.size === 0) this.#drained();
  }

  /** Looks again at the streams of one kind of data plane: what they are to get of the mesh has changed. */
  refresh(kind: DataPlaneKind): void {
    for (const session of this.#sessions) {
      if (this.#arrivals.isAdmitted(session) && isSameKind(session.node, kind)) this.#look(session);
    }
  }

  list(): readonly AnySession[] {
    return [...this.#sessions];
  }

  #look(session: AnySession): void {
    this.#outdated.add(session);
    this.#queue.add(session);
  }

  #work(session: AnySession, isTurnOver: () => boolean): boolean {
    if (this.#mesh !== null && this.#outdated.delete(session)) session.update(this.#mesh);
    if (!session.work(isTurnOver)) return false;
    if (session.isSettled) this.#arrivals.settled(session);
    this.#caughtUp(session);
    return true;
  }

  #caughtUp(session: AnySession): void {
    if (this.#behind.delete(session) && this.#behind.size === 0) this.#drained();
  }

  #drained(): void {
    this.#onDrained?.();
    this.#onDrained = null;
  }
}
