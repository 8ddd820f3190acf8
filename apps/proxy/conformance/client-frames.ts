import type { Socket } from 'node:net';
import { frame, FrameFlag, FrameType, PREFACE } from '@flotilla/http-codec/testing';
import { type Client, PATIENCE_MS } from './client-connection.ts';
import { FrameLog } from './frame-log.ts';
import { bytesOf, type ScriptedFrame } from './frames.ts';

/** A client that writes frames of HTTP/2 as they are scripted, and keeps no rule. */
export class ClientFrames implements Client {
  readonly #socket: Socket;
  readonly #fill: (text: string) => string;
  readonly #note: (text: string) => void;
  readonly #log = new FrameLog();
  #isOver: boolean;
  #isClosed = false;
  #wake: () => void = () => undefined;

  constructor(socket: Socket, fill: (text: string) => string, note: (text: string) => void) {
    this.#socket = socket;
    this.#fill = fill;
    this.#note = note;
    this.#isOver = socket.destroyed;
    socket.on('data', (chunk: Buffer) => {
      for (const { type, flags } of this.#log.read(chunk)) {
        const isNew = type === FrameType.settings && (flags & FrameFlag.ack) === 0;
        if (isNew && !socket.destroyed) socket.write(frame(FrameType.settings, FrameFlag.ack, 0));
      }
      this.#wake();
    });
    for (const event of ['end', 'error', 'close']) {
      socket.on(event, () => {
        this.#isOver = true;
        this.#wake();
      });
    }
    socket.write(Buffer.concat([PREFACE, frame(FrameType.settings, 0, 0)]));
  }

  frames(frames: readonly ScriptedFrame[]): void {
    if (this.#socket.destroyed) return;
    this.#socket.write(bytesOf(frames, this.#fill));
    for (const { flags, stream } of frames) if ((flags & FrameFlag.endStream) !== 0) this.#log.end(stream);
  }

  send(text: string): void {
    if (!this.#socket.destroyed) this.#socket.write(this.#fill(text), 'latin1');
  }

  /** Waits until so many streams have ended. */
  async read(count: number): Promise<void> {
    await this.#until(() => this.#log.over >= count);
    this.#noteStreams();
    if (this.#isOver) this.#note(`${this.#log.goaway}[closed]`);
  }

  async readClose(): Promise<void> {
    await this.#until(() => this.#isOver);
    this.#noteStreams();
    this.#note(this.#log.goaway + (this.#isOver ? '[closed]' : '[still open]'));
  }

  request(): Promise<void> {
    return Promise.reject(new Error('a client of frames sends requests as frames'));
  }

  readBytes(): Promise<void> {
    return Promise.reject(new Error('a client of frames reads whole frames'));
  }

  rst(): void {
    throw new Error('a client of frames resets with a frame');
  }

  end(): void {
    this.#socket.end();
  }

  reset(): void {
    this.#isClosed = true;
    this.#socket.resetAndDestroy();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#noteStreams();
    this.#socket.destroy();
  }

  #noteStreams(): void {
    for (const stream of this.#log.streams()) this.#note(stream);
    this.#log.forget();
  }

  async #until(isThere: () => boolean): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while (!isThere() && !this.#isOver && Date.now() < deadline) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, deadline - Date.now());
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}
