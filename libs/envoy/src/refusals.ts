import type { DescMessage, MessageShape, Registry } from '@bufbuild/protobuf';
import { reflect, type ReflectMessage } from '@bufbuild/protobuf/reflect';
import { type Any, AnySchema, anyUnpack } from '@bufbuild/protobuf/wkt';
import { violationsOf, type Violation } from './constraints.ts';
import type { FieldPath } from './field-path.ts';
import { ruleOf } from './rules.ts';

/**
 * Why an Envoy would refuse a resource: the constraints of its API, in what is packed into an `Any` too, and what Envoy
 * refuses beyond them when it puts a resource into use (`rules`). Linear in the size of the message; an extension that is
 * not among `packed` is not looked into.
 */
export function refusalsOf<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  packed: Registry,
): readonly Violation[] {
  const found: Violation[] = [...violationsOf(schema, message)];
  look(reflect(schema, message), [], { found, packed });
  return found;
}

interface Search {
  readonly found: Violation[];
  readonly packed: Registry;
}

function look(message: ReflectMessage, path: FieldPath, search: Search): void {
  if (message.desc.typeName === AnySchema.typeName) {
    // The descriptor says so.
    lookInside(message.message as Any, path, search);
    return;
  }
  const report = (field: FieldPath, reason: string): void =>
    void search.found.push({ path: [...path, ...field], reason });
  ruleOf(message.desc)?.(message.message, report);
  for (const field of message.fields) {
    if (!message.isSet(field)) continue;
    const at = [...path, field.name];
    if (field.fieldKind === 'message') look(message.get(field), at, search);
    else if (field.fieldKind === 'list' && field.listKind === 'message') {
      let index = 0;
      for (const item of message.get(field)) {
        // A list of messages, by its kind.
        look(item as ReflectMessage, [...at, index], search);
        index += 1;
      }
    } else if (field.fieldKind === 'map' && field.mapKind === 'message') {
      for (const [key, value] of message.get(field)) look(value as ReflectMessage, [...at, String(key)], search);
    }
  }
}

function lookInside(any: Any, path: FieldPath, search: Search): void {
  const inner = anyUnpack(any, search.packed);
  const schema = inner === undefined ? undefined : search.packed.getMessage(inner.$typeName);
  if (inner === undefined || schema === undefined) return;
  for (const { path: field, reason } of violationsOf(schema, inner))
    search.found.push({ path: [...path, ...field], reason });
  look(reflect(schema, inner), path, search);
}
