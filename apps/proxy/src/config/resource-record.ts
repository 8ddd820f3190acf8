import type { Any } from '@bufbuild/protobuf/wkt';
import type { FlotillaError } from '@flotilla/runtime';

/** A resource as it arrived, for dumps and for telling whether an update changes anything. */
export interface ResourceRecord {
  readonly name: string;
  /** Changes alone when the control plane sends the same content under another version. */
  version: string;
  readonly resource: Any;
  readonly updatedMs: number;
}

/** The last attempt to change a resource, where it was refused. */
export interface RefusedRecord {
  readonly reason: string;
  readonly version: string;
  readonly resource: Any | null;
  readonly atMs: number;
}

/** Equal bytes: the update changes nothing, whatever its version says. */
export function isSameResource(a: Any, b: Any): boolean {
  return a.typeUrl === b.typeUrl && Buffer.compare(a.value, b.value) === 0;
}

export function refusedRecord(
  error: FlotillaError,
  update: { readonly version: string; readonly resource: Any | null },
  atMs: number,
): RefusedRecord {
  return { reason: error.message, version: update.version, resource: update.resource, atMs };
}
