import { connect } from 'node:net';

/*
 * `node greeting-client.ts host port`: connects, waits for the server's greeting without a word of its own, and prints
 * one JSON line: what it heard, after how many milliseconds, and the error that ended it.
 */

export interface Heard {
  readonly text: string;
  readonly ms: number;
  readonly error: string | null;
}

const GIVE_UP_MS = 15_000;

if (import.meta.main) {
  const [host = '', port = ''] = process.argv.slice(2);
  const startedMs = performance.now();
  const socket = connect(Number(port), host);
  const tell = (text: string, error: string | null) => {
    const heard: Heard = { text, ms: Math.round(performance.now() - startedMs), error };
    console.log(JSON.stringify(heard));
    process.exit(0);
  };
  socket.once('data', (chunk) => tell(chunk.toString(), null));
  socket.once('error', (error: NodeJS.ErrnoException) => tell('', error.code ?? error.message));
  socket.once('close', () => tell('', 'closed'));
  socket.setTimeout(GIVE_UP_MS, () => tell('', 'silence'));
}
