import type { JsonValue } from '@bufbuild/protobuf';
import type { StreamInfo } from '@flotilla/stream';
import type { Structure } from './log-text.ts';
import type { Surroundings } from './surroundings.ts';

/** The value of one command operator for one stream; null prints as `-`. What is no text stays what it is in JSON logs. */
export type OperatorValue = (info: StreamInfo) => string | number | boolean | Structure<JsonValue> | null;

/** Builds an operator from the text between its parentheses; null when it has none. */
export type OperatorFactory = (argument: string | null, surroundings: Surroundings) => OperatorValue;
