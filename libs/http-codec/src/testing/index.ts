export {
  frame,
  type Frame,
  FrameFlag,
  FrameReader,
  FrameType,
  fieldSection,
  PREFACE,
  settings,
  uint32,
} from './http2-frames.ts';
export { HpackDecoder } from './hpack-decoder.ts';
