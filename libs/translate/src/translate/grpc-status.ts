import { Code, CodeSchema } from '@flotilla/wire/google/rpc/code_pb.js';

/** The number of a status written by name or as a number; UNKNOWN for anything else. */
export function grpcStatusNumber(text: string): number {
  const named = CodeSchema.values.find(({ name }) => name === text);
  if (named !== undefined) return named.number;
  return /^\d{1,2}$/.test(text) ? Number(text) : Code.UNKNOWN;
}
