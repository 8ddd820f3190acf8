import { readdirSync, readFileSync } from 'node:fs';
import { HttpError } from '../http/http-error.ts';
import { replyWith } from '../http/reply.ts';
import type { Exchange } from '../http/routes.ts';

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

/** Reads a folder once and serves its files by exact name, so no path can lead out of it. */
export function compileStaticFiles(folder: URL): (exchange: Exchange) => void {
  const files = new Map(readdirSync(folder).map((name) => [name, readFileSync(new URL(name, folder))]));
  return ({ response, segment }) => {
    const content = files.get(segment);
    if (content === undefined) throw new HttpError(404, 'no such file');
    const type = CONTENT_TYPES[segment.slice(segment.lastIndexOf('.') + 1)] ?? 'application/octet-stream';
    replyWith(response, 200, type, content, { 'cache-control': 'max-age=60', 'x-content-type-options': 'nosniff' });
  };
}
