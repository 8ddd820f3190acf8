import { FlotillaError, limit } from '@flotilla/runtime';
import type { ResourceKey } from '@flotilla/model';
import type { VersionAnnouncement } from './version-bus.ts';

/** More keys are not sent: an announcement says "look", and what changed is in the log. */
export const MAX_ANNOUNCED_KEYS = limit({
  name: 'bus.announced-keys',
  what: 'changed keys named in one announcement',
  default: 256,
  unit: 'count',
  past: 'the others are not named: whoever hears it reads the change log anyway',
});
const MAX_BYTES = limit({
  name: 'bus.announcement-bytes',
  what: 'one announcement received from the bus',
  default: 1 << 20,
  unit: 'bytes',
  past: 'ignored, and logged',
});
const MAX_TEXT = limit({
  name: 'bus.announcement-text',
  what: 'a name in an announcement received from the bus',
  default: 1_024,
  unit: 'bytes',
  past: 'the announcement is ignored, and logged',
});

/** An announcement as it travels: JSON, with each key as `[group, kind, namespace, name]`. */
export function encodeAnnouncement({ epoch, version, keys }: VersionAnnouncement): string {
  const sent = keys
    .slice(0, MAX_ANNOUNCED_KEYS)
    .map(({ group, kind, namespace, name }) => [group, kind, namespace, name]);
  return JSON.stringify({ epoch, version, keys: sent });
}

/** Reads what came from the wire, where anybody may have written it. Throws `invalid` with what is wrong. */
export function decodeAnnouncement(bytes: Uint8Array): VersionAnnouncement {
  if (bytes.byteLength > MAX_BYTES) throw invalid(`it has ${bytes.byteLength} bytes, more than ${MAX_BYTES}`);
  const value = parse(bytes);
  if (typeof value !== 'object' || value === null) throw invalid('it is no object');
  const { epoch, version, keys } = value as Readonly<Record<string, unknown>>; // Any object, each field checked below.
  if (!isText(epoch)) throw invalid('its epoch is no short text');
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 0) {
    throw invalid('its version is no number of one');
  }
  if (!Array.isArray(keys) || keys.length > MAX_ANNOUNCED_KEYS) throw invalid('its keys are no list of a few');
  return Object.freeze({ epoch, version, keys: Object.freeze(keys.map(decodeKey)) });
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw invalid('it is no JSON');
  }
}

function decodeKey(value: unknown): ResourceKey {
  if (!Array.isArray(value) || value.length !== 4) throw invalid('a key has not four parts');
  const [group, kind, namespace, name]: readonly unknown[] = value;
  if (!isText(group) || !isText(kind) || !isText(namespace) || !isText(name)) {
    throw invalid('a part of a key is no short text');
  }
  return { group, kind, namespace, name };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_TEXT;
}

function invalid(reason: string): FlotillaError {
  return new FlotillaError('invalid', `not an announcement of a version: ${reason}`, {
    hint: 'Look for another program that publishes on this channel, and give each mesh a key prefix of its own.',
  });
}
