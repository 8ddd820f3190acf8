import { FlotillaError, type ErrorCode } from '@flotilla/runtime';

/** What the exit code of every command means. */
export const ExitCode = {
  done: 0,
  /** The answer is no: invalid, refused, not in sync. */
  no: 1,
  /** The command line is wrong. */
  usage: 2,
  /** A peer could not be reached. */
  unreachable: 3,
} as const;

const BY_ERROR: Readonly<Record<ErrorCode, number>> = {
  invalid: ExitCode.no,
  'not-found': ExitCode.no,
  conflict: ExitCode.no,
  unauthenticated: ExitCode.no,
  forbidden: ExitCode.no,
  exhausted: ExitCode.no,
  system: ExitCode.no,
  internal: ExitCode.no,
  usage: ExitCode.usage,
  unavailable: ExitCode.unreachable,
};

export function exitCodeOf(error: unknown): number {
  return BY_ERROR[FlotillaError.from(error).code];
}
