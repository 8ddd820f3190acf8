import type { Mesh } from '@flotilla/translate';
import { type DataPlaneKind, isSameKind } from '../isolate/isolation.ts';
import { WorkQueue } from '../push/queue.ts';
import type { AnyRequest, ProxySession } from './session.ts';

/** A session of either protocol, as far as pushing and status care. */
export type AnySession = Pick<
  ProxySession<AnyRequest>,
  'node' | 'identity' | 'protocol' | 'connectedAtMs' | 'meshVersion' | 'update' | 'reports' | 'omissions'
>;

/** The streams there are, and the mesh they are to be brought to. */
export class Sessions {
  readonly #sessions = new Set<AnySession>();
  readonly #queue = new WorkQueue<AnySession>((session) => this.#push(session));
  #mesh: Mesh | null = null;
  #onDrained: (() => void) | null = null;

  /** A stream that is new gets the mesh at once, when there is one yet. */
  add(session: AnySession): void {
    this.#sessions.add(session);
    if (this.#mesh !== null) session.update(this.#mesh);
  }

  delete(session: AnySession): void {
    this.#sessions.delete(session);
    this.#queue.delete(session);
  }

  /** Brings every stream to a mesh, one after another; `onDrained` when the last has been. */
  push(mesh: Mesh, onDrained: () => void): void {
    this.#mesh = mesh;
    this.#onDrained = onDrained;
    for (const session of this.#sessions) this.#queue.add(session);
    if (this.#sessions.size === 0) this.#drained();
  }

  /** Looks again at the streams of one kind of data plane: what they are to get of the mesh has changed. */
  refresh(kind: DataPlaneKind): void {
    for (const session of this.#sessions) if (isSameKind(session.node, kind)) this.#queue.add(session);
  }

  list(): readonly AnySession[] {
    return [...this.#sessions];
  }

  #push(session: AnySession): void {
    if (this.#mesh !== null) session.update(this.#mesh);
    if (this.#queue.size === 0) this.#drained();
  }

  #drained(): void {
    this.#onDrained?.();
    this.#onDrained = null;
  }
}
