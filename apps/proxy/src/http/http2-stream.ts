import type { Http2Stream } from 'node:http2';

/**
 * Frees what a closed stream's listeners hold. Node's session keeps its streams in a map, and V8 keeps what earlier tables of
 * a map held until it marks the whole heap: a stream by itself is small, what the proxy knows of its request is not.
 */
export function letGo(stream: Http2Stream): void {
  stream.removeAllListeners();
  stream.on('error', ignore);
}

function ignore(): void {}
