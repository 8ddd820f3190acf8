import type { StreamInfo } from './stream-info.ts';

/** Writes the record of one finished stream; must not throw and must not block. */
export type AccessLog = (info: StreamInfo) => void;
