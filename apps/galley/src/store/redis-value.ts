import { FlotillaError } from '@flotilla/runtime';
import type { Resource } from '@flotilla/model';
import type { StoredResource } from './config-store.ts';
import { decodeRow, encodeResource } from './stored-row.ts';

/** What a commit sends of a resource. The script writes version and time of creation before it, a line each. */
export function encodeDocument(resource: Resource, owner: string): string {
  return `${JSON.stringify(owner)}\n${encodeResource(resource)}`;
}

/** `<version> LF <time of creation> LF <owner, JSON> LF <document, JSON>`; JSON has no bare line feeds. */
export function decodeValue(key: string, value: string): StoredResource {
  try {
    const [version = '', createdAt = '', owner = '', ...document] = value.split('\n', 4);
    const row = { key, version, created_at: createdAt, document: document.join('') };
    return decodeRow({ ...row, owner: JSON.parse(owner) });
  } catch (error) {
    throw new FlotillaError('internal', `the store holds ${key} in a form that cannot be read`, { cause: error });
  }
}
