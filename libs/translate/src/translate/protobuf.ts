import {
  create,
  createMutableRegistry,
  type DescMessage,
  type MessageInitShape,
  type Registry,
} from '@bufbuild/protobuf';
import { anyPack, type Any, type Duration, durationFromMs, durationMs } from '@bufbuild/protobuf/wkt';

const packed = createMutableRegistry();

/** The messages that were packed into an `Any` so far: whatever is generated can be looked into again. */
export const PACKED_TYPES: Registry = packed;

/** A message inside an `Any`, as Envoy's `typed_config` fields take it. The one way to pack one. */
export function typed<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): Any {
  packed.add(schema);
  return anyPack(schema, create(schema, init));
}

export const milliseconds = (ms: number): Duration => durationFromMs(ms);

/** A duration field in milliseconds, `null` when it is not set. */
export function toMs(duration: Duration | undefined): number | null {
  return duration === undefined ? null : durationMs(duration);
}

/** A copy with keys in order: equal maps must give equal bytes. */
export function sortedRecord<Value>(record: Readonly<Record<string, Value>>): { [key: string]: Value } {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

/** The plain-object form of a message, without the message itself: parts of it can be spread together. */
export type Init<Desc extends DescMessage> = Extract<MessageInitShape<Desc>, { $typeName?: never }>;
