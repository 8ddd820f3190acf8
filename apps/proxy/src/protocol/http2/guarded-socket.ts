import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { closeFollows } from '@flotilla/sockets/errors';
import type { SharedReader } from '../../sockets/shared-reader.ts';
import { type FloodLimits, FrameGuard, type GuardHandler } from './frame-guard.ts';

/**
 * The socket of an HTTP/2 connection with a guard at it: what `node:http2` is given in its place. Bytes go both ways as
 * they are; nothing is read any more after a fault.
 */
export class GuardedSocket extends Duplex {
  readonly #socket: Socket;
  readonly #guard: FrameGuard;
  readonly #handler: GuardHandler;
  #isCut = false;
  /** What was read and waits until what came before it has had its events; null: nothing does. */
  #held: Buffer | null = null;
  /** How the socket ended meanwhile. */
  #endings: (() => void)[] = [];

  /** `reader`: what takes the socket's bytes; null: its `data` events. */
  constructor(
    socket: Socket,
    reader: SharedReader | null,
    role: 'server' | 'client',
    limits: FloodLimits,
    handler: GuardHandler,
  ) {
    // HTTP/2 has no half-closed connections.
    super({ allowHalfOpen: false });
    // Heard by the session while there is one.
    this.on('error', closeFollows);
    this.#socket = socket;
    this.#handler = handler;
    // Not from inside nghttp2, which is sending.
    this.#guard = new FrameGuard(role, limits, (stream) => setImmediate(() => handler.onEndSent(stream)));
    if (reader === null) socket.on('data', (piece: Buffer) => this.#take(piece));
    else reader.onBytes = (piece) => this.#take(Buffer.from(piece));
    socket.on('end', () => this.#finish(() => this.push(null)));
    socket.on('error', (error) => this.#finish(() => this.destroy(error)));
    socket.on('close', () => this.#finish(() => this.destroy()));
  }

  /** The stream is over. */
  forget(stream: number): void {
    this.#guard.forget(stream);
  }

  /** Reads no more, and closes when what was written is on its way. */
  cut(): void {
    this.#isCut = true;
    this.#socket.destroySoon();
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(piece: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#guard.sent(piece);
    this.#socket.write(piece, done);
  }

  override _writev(pieces: readonly { readonly chunk: unknown }[], done: (error?: Error | null) => void): void {
    this.#socket.cork();
    pieces.forEach(({ chunk }, index) => {
      // `node:http2` writes buffers alone.
      const piece = chunk as Buffer;
      this.#guard.sent(piece);
      if (index < pieces.length - 1) this.#socket.write(piece);
      else this.#socket.write(piece, done);
    });
    this.#socket.uncork();
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #take(piece: Buffer): void {
    if (this.#isCut) return;
    if (this.#held !== null) {
      this.#held = Buffer.concat([this.#held, piece]);
      return;
    }
    const passed = this.#guard.received(piece);
    if (passed > 0 && !this.push(passed === piece.length ? piece : piece.subarray(0, passed))) this.#socket.pause();
    if (passed === piece.length) return;
    this.#held = piece.subarray(passed);
    setImmediate(() => this.#goOn());
  }

  /** What was passed on has had its events. */
  #goOn(): void {
    const held = this.#held;
    this.#held = null;
    const { fault } = this.#guard;
    if (fault !== null) {
      this.#isCut = true;
      this.#handler.onFault(fault);
    } else if (held !== null && !this.destroyed && !this.#isCut) this.#take(held);
    if (this.#held === null) for (const end of this.#endings.splice(0)) end();
  }

  #finish(end: () => void): void {
    if (this.#held === null) end();
    else this.#endings.push(end);
  }
}
