import { printableLines } from '@flotilla/runtime';

/**
 * Standard output and error of this process. Whoever reads them may go away (`EPIPE`), the disk behind them may be full
 * (`ENOSPC`) and a terminal may be gone (`EIO`): what is written then is lost, and the process goes on. Who counts what
 * is lost listens to `error` as well.
 */
export function standardOutput(): NodeJS.WriteStream {
  return owned(process.stdout);
}

/** See `standardOutput`. */
export function standardError(): NodeJS.WriteStream {
  return owned(process.stderr);
}

/** A result, for standard output: lines in which what others chose steers no terminal. */
export function printLine(text: string): void {
  standardOutput().write(`${printableLines(text)}\n`);
}

/** A message, for standard error; see `printLine`. */
export function printMessage(text: string): void {
  standardError().write(`${printableLines(text)}\n`);
}

/** For a program's first line: from now on no write to either ends the process, whoever makes it. */
export function ownStandardStreams(): void {
  standardOutput();
  standardError();
}

const known = new WeakSet<NodeJS.WriteStream>();

function owned(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  if (known.has(stream)) return stream;
  known.add(stream);
  return stream.on('error', lineLost);
}

function lineLost(): void {}
