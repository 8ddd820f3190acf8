import type { HeaderList } from '@flotilla/http-codec';
import type { Clock } from '@flotilla/runtime';
import type { ManagerSettings } from './manager-settings.ts';

/** Puts a response's headers in order before they go to the client: `date`, `server`, `via`, request id. */
export function prepareResponseHeaders(
  headers: HeaderList,
  requestHeaders: HeaderList,
  settings: ManagerSettings,
): void {
  const { server, edge } = settings;
  if (!headers.has('date')) headers.append('date', dateText(settings.ctx.clock));
  if (server.mode === 'overwrite') headers.set('server', server.name);
  else if (server.mode === 'append-if-absent' && !headers.has('server')) headers.append('server', server.name);
  // Only internal callers still have the header here.
  if (edge.alwaysSetRequestIdInResponse || requestHeaders.has('x-envoy-force-trace')) {
    const id = requestHeaders.get('x-request-id');
    if (id !== undefined) headers.set('x-request-id', id);
  }
  if (edge.via !== '') {
    const before = headers.getCombined('via');
    headers.set('via', before === undefined ? edge.via : `${before}, ${edge.via}`);
  }
}

let dateSecond = -1;
let dateOfSecond = '';

/** RFC 9110 date; formatted once a second. */
function dateText(clock: Clock): string {
  const nowMs = clock.now();
  const second = Math.floor(nowMs / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateOfSecond = new Date(nowMs).toUTCString();
  }
  return dateOfSecond;
}
