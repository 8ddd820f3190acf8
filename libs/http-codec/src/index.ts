export { HeaderList } from './header-list.ts';
export type { BodyFraming } from './body-framing.ts';
export { defaultLimits, type ParserLimits } from './limits.ts';
export { type HeaderCase, properCase, type Spelling } from './spelling.ts';
export { ParseError, type ParseErrorCode } from './parse-error.ts';
export type { BodyHandler } from './message-parser.ts';
export { createRequestParser, type RequestParser, type RequestHandler } from './request-parser.ts';
export type { RequestHead, RequestParserOptions } from './request-parser.ts';
export { createResponseParser, type ResponseParser, type ResponseHandler } from './response-parser.ts';
export type { ResponseHead, ResponseParserOptions } from './response-parser.ts';
export type { TargetForm } from './request-target.ts';
export {
  CHUNK_END,
  CHUNKED_FIELD,
  CLOSE_FIELD,
  KEEP_ALIVE_FIELD,
  LAST_CHUNK,
  chunkHead,
  contentLengthField,
  lastChunk,
  serializeRequestHead,
  serializeResponseHead,
  upgradeFields,
} from './serialize.ts';
export { type FieldFault, findFieldFault } from './hpack/field-fault.ts';
