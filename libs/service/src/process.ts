export { ExitCode, exitCodeOf } from './exit-codes.ts';
export { untilSignal } from './signals.ts';
