import { FlotillaError } from '@flotilla/runtime';
import { parseKey } from '@flotilla/model';
import type { Resource, ResourceKey } from '@flotilla/model';
import type { StoredResource } from './config-store.ts';

/** What a store keeps of a resource: `key`, `document`, `owner`, `version`, `created_at`. */
export type Row = Readonly<Record<string, unknown>>;

/** The part of a resource that has no field of its own in a store. */
type Document = Pick<Resource, 'apiVersion' | 'labels' | 'annotations' | 'body' | 'origin'>;

export function encodeResource(resource: Resource): string {
  const { apiVersion, labels, annotations, body, origin } = resource;
  const document: Document = { apiVersion, labels, annotations, body, origin };
  return JSON.stringify(document);
}

export function decodeRow(row: Row): StoredResource {
  // Written by `encodeResource`, into a file or under keys that are marked as galley's.
  const document = JSON.parse(textOf(row, 'document')) as Document;
  return {
    owner: textOf(row, 'owner'),
    resource: {
      key: keyOfRow(row),
      ...document,
      resourceVersion: numberOf(row, 'version'),
      createdAtMs: numberOf(row, 'created_at'),
    },
  };
}

export function keyOfRow(row: Row): ResourceKey {
  const key = parseKey(textOf(row, 'key'));
  if (key === null) throw new FlotillaError('internal', `the store holds the unreadable key ${textOf(row, 'key')}`);
  return key;
}

export function numberOf(row: Row, column: string): number {
  return Number(row[column] ?? 0);
}

function textOf(row: Row, column: string): string {
  return String(row[column] ?? '');
}
