import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';

export function replyWith(
  response: ServerResponse,
  status: number,
  contentType: string,
  body: string | Buffer,
  headers?: OutgoingHttpHeaders,
): void {
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body), ...headers });
  response.end(body);
}

export function replyJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers?: OutgoingHttpHeaders,
): void {
  replyWith(response, status, 'application/json', JSON.stringify(value), headers);
}

/** Sends the browser on with a GET (303), whatever method it came with. */
export function replyRedirect(response: ServerResponse, location: string, headers?: OutgoingHttpHeaders): void {
  response.writeHead(303, { location, 'content-length': 0, ...headers });
  response.end();
}
