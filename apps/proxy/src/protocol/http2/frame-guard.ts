import { constants } from 'node:http2';
import { findFieldFault } from '@flotilla/http-codec';
import * as frames from './frame-walker.ts';
import { type FrameVisitor, FrameWalker, type Verdict } from './frame-walker.ts';

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR } = constants;
const NOTHING = Buffer.alloc(0);
const PREFACE_BYTES = 24;
/** nghttp2 takes no larger frame: it is never offered more than the protocol's own least. */
const MAX_FRAME_BYTES = 16_384;
/** nghttp2 takes no more of a section. */
const MAX_CONTINUATIONS = 8;

/** What a peer may do before its connection is cut; Envoy's settings of the same names. */
export interface FloodLimits {
  readonly maxConsecutiveInboundFramesWithEmptyPayload: number;
  readonly maxInboundPriorityFramesPerStream: number;
  readonly maxInboundWindowUpdateFramesPerDataFrameSent: number;
}

/** Why a connection is cut, as Envoy's access log says it. */
type FaultDetails =
  | 'http2.invalid.header.field'
  | 'http2.inbound_empty_frames_flood'
  | 'http2.too_many_headers'
  | 'codec_error:Too_many_PRIORITY_frames'
  | 'codec_error:Too_many_WINDOW_UPDATE_frames';

/** What a peer did that ends its connection. */
export interface Fault {
  readonly details: FaultDetails;
  /** 0: the connection. */
  readonly stream: number;
  /** It was in fields, not in what followed them. */
  readonly isSection: boolean;
}

export interface GuardHandler {
  /** The peer did what ends its connection. What came before it has been passed on. */
  onFault(fault: Fault): void;
  /** The last frame of our side of a stream is on its way. */
  onEndSent(stream: number): void;
}

/**
 * Watches the frames of a connection on behalf of `node:http2`, for what that does not tell:
 *
 * - malformed fields, which nghttp2 leaves out without a word (RFC 9113, section 8.2.1: malformed);
 * - floods that nghttp2 lets pass;
 * - whether a stream had ended before it was reset. `node:http2` throws away what waits to be read of a stream that is
 *   reset with a code, and takes a reset without one for an end. So a reset after the end loses its code here, and one
 *   before the end that has none is given one.
 */
export class FrameGuard implements FrameVisitor {
  fault: Fault | null = null;
  readonly #isServer: boolean;
  readonly #limits: FloodLimits;
  readonly #inbound: FrameWalker;
  readonly #outbound: FrameWalker;
  /** Streams whose peer ended them, while they are open. */
  readonly #ended = new Set<number>();
  #type = 0;
  #flags = 0;
  #stream = 0;
  #section: Buffer = NOTHING;
  #continuations = 0;
  #sectionEndsStream = false;
  #lastStream = 0;
  #streams = 0;
  #emptyFrames = 0;
  #priorityFrames = 0;
  #windowUpdates = 0;
  #dataFramesSent = 0;

  constructor(role: 'server' | 'client', limits: FloodLimits, onEndSent: (stream: number) => void) {
    this.#isServer = role === 'server';
    this.#limits = limits;
    this.#inbound = new FrameWalker(this, this.#isServer ? PREFACE_BYTES : 0);
    const sent: FrameVisitor = {
      onHead: (type, flags, stream) => {
        if (type === frames.DATA) this.#dataFramesSent += 1;
        const ends = (type === frames.DATA || type === frames.HEADERS) && (flags & frames.END_STREAM) !== 0;
        if (ends) onEndSent(stream);
        return 'pass';
      },
      onPayload: () => true,
    };
    this.#outbound = new FrameWalker(sent, this.#isServer ? 0 : PREFACE_BYTES);
  }

  /** Octets of what was read that may go on; with less than all of them `fault` says why. */
  received(piece: Buffer): number {
    return this.#inbound.walk(piece);
  }

  sent(piece: Buffer): void {
    this.#outbound.walk(piece);
  }

  /** The stream is over. */
  forget(stream: number): void {
    this.#ended.delete(stream);
  }

  onHead(type: number, flags: number, stream: number, length: number): Verdict {
    this.#type = type;
    this.#flags = flags;
    this.#stream = stream;
    if (length === 0 && this.#isEmptyFlood(type, flags))
      return this.#refuse('http2.inbound_empty_frames_flood', stream);
    if (length > 0) this.#emptyFrames = 0;
    switch (type) {
      case frames.DATA:
        if ((flags & frames.END_STREAM) !== 0) this.#onEnd(stream);
        return 'pass';
      case frames.HEADERS:
        this.#onStream(stream);
        this.#section = NOTHING;
        this.#continuations = 0;
        this.#sectionEndsStream = (flags & frames.END_STREAM) !== 0;
        return length <= MAX_FRAME_BYTES ? 'whole' : 'pass';
      case frames.CONTINUATION:
        this.#continuations += 1;
        if (this.#continuations > MAX_CONTINUATIONS) return this.#refuse('http2.too_many_headers', stream);
        return length <= MAX_FRAME_BYTES ? 'whole' : 'pass';
      case frames.RST_STREAM:
        return length === 4 ? 'apart' : 'pass';
      case frames.GOAWAY:
        return length <= MAX_FRAME_BYTES ? 'apart' : 'pass';
      case frames.PRIORITY:
        this.#priorityFrames += 1;
        return this.#isPriorityFlood ? this.#refuse('codec_error:Too_many_PRIORITY_frames', stream) : 'pass';
      case frames.WINDOW_UPDATE:
        this.#windowUpdates += 1;
        return this.#isWindowFlood ? this.#refuse('codec_error:Too_many_WINDOW_UPDATE_frames', stream) : 'pass';
      default:
        return 'pass';
    }
  }

  onPayload(payload: Buffer): boolean {
    if (this.#type === frames.GOAWAY) return true;
    if (this.#type === frames.RST_STREAM) {
      this.#onReset(payload);
      return true;
    }
    const fragment = this.#type === frames.HEADERS ? fragmentOf(payload, this.#flags) : payload;
    const section = this.#section.length === 0 ? fragment : Buffer.concat([this.#section, fragment]);
    if ((this.#flags & frames.END_HEADERS) === 0) {
      this.#section = Buffer.from(section);
      return true;
    }
    this.#section = NOTHING;
    if (findFieldFault(section) !== null) return this.#refuse('http2.invalid.header.field', this.#stream) !== 'refuse';
    if (this.#sectionEndsStream) this.#onEnd(this.#stream);
    return true;
  }

  #refuse(details: FaultDetails, stream: number): 'refuse' {
    const isSection = this.#type === frames.HEADERS || this.#type === frames.CONTINUATION;
    this.fault = { details, stream, isSection };
    return 'refuse';
  }

  #onStream(stream: number): void {
    if (stream <= this.#lastStream) return;
    this.#lastStream = stream;
    this.#streams += 1;
  }

  #onEnd(stream: number): void {
    // A client that resets a request that has ended gives its answer up.
    if (!this.#isServer) this.#ended.add(stream);
  }

  #onReset(payload: Buffer): void {
    if (this.#ended.has(this.#stream)) payload.writeUInt32BE(NGHTTP2_NO_ERROR);
    else if (payload.readUInt32BE() === NGHTTP2_NO_ERROR) payload.writeUInt32BE(NGHTTP2_CANCEL);
  }

  #isEmptyFlood(type: number, flags: number): boolean {
    const counts = type === frames.DATA || type === frames.HEADERS || type === frames.CONTINUATION;
    if (!counts || (flags & frames.END_STREAM) !== 0) return false;
    this.#emptyFrames += 1;
    return this.#emptyFrames > this.#limits.maxConsecutiveInboundFramesWithEmptyPayload;
  }

  get #isPriorityFlood(): boolean {
    return this.#priorityFrames > this.#limits.maxInboundPriorityFramesPerStream * (1 + this.#streams);
  }

  get #isWindowFlood(): boolean {
    const each = this.#limits.maxInboundWindowUpdateFramesPerDataFrameSent;
    return this.#windowUpdates > 5 + 2 * (this.#streams + each * this.#dataFramesSent);
  }
}

/** The part of a HEADERS frame that holds fields (RFC 9113, section 6.2). */
function fragmentOf(payload: Buffer, flags: number): Buffer {
  const padding = (flags & frames.PADDED) === 0 ? 0 : (payload[0] ?? 0);
  const start = ((flags & frames.PADDED) === 0 ? 0 : 1) + ((flags & frames.HAS_PRIORITY) === 0 ? 0 : 5);
  return payload.subarray(start, Math.max(start, payload.length - padding));
}
