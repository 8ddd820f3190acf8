import type { DescEnum, DescField, DescFile, DescMessage, DescMethod } from '@bufbuild/protobuf';
import { ScalarType } from '@bufbuild/protobuf';
import { table } from './page.ts';
import { PATH, type Protos } from './protos.ts';

/** Calls, messages and enums of one file, with what their comments say. */
export function renderService(file: DescFile, protos: Protos): string {
  const comment = (...path: number[]) => protos.comment(file, path);
  const services = file.services.map((service, at) =>
    [
      `### ${service.typeName}`,
      comment(PATH.service, at),
      table(
        ['call', 'request → answer', 'what it does'],
        service.methods.map((method, index) => [
          `\`${method.name}\``,
          signature(method),
          comment(PATH.service, at, PATH.method, index),
        ]),
      ),
    ].join('\n\n'),
  );
  const messages = file.messages.flatMap((message, at) => renderMessage(message, [PATH.message, at], file, protos));
  const enums = file.enums.map((one, at) => renderEnum(one, [PATH.enum, at], file, protos));
  return [...services, ...messages, ...enums].join('\n\n');
}

function signature({ input, output, methodKind }: DescMethod): string {
  const isStream = methodKind === 'server_streaming' || methodKind === 'bidi_streaming';
  return `${link(input)} → ${isStream ? 'stream of ' : ''}${link(output)}`;
}

/** A message without fields says nothing that its name does not. */
function renderMessage(message: DescMessage, path: readonly number[], file: DescFile, protos: Protos): string[] {
  const nested = [
    ...message.nestedMessages.flatMap((one, at) => renderMessage(one, [...path, PATH.nestedMessage, at], file, protos)),
    ...message.nestedEnums.map((one, at) => renderEnum(one, [...path, PATH.nestedEnum, at], file, protos)),
  ];
  if (message.fields.length === 0) return nested;
  const rows = message.fields.map((field, at) => [
    `\`${field.name}\``,
    typeOf(field),
    protos.comment(file, [...path, PATH.field, at]),
  ]);
  const parts = [`#### ${nameOf(message)}`, protos.comment(file, path), table(['field', 'type', 'meaning'], rows)];
  return [parts.filter((part) => part !== '').join('\n\n'), ...nested];
}

function renderEnum(one: DescEnum, path: readonly number[], file: DescFile, protos: Protos): string {
  const rows = one.values.map((value, at) => [`\`${value.name}\``, protos.comment(file, [...path, PATH.value, at])]);
  const parts = [`#### ${nameOf(one)}`, protos.comment(file, path), table(['value', 'meaning'], rows)];
  return parts.filter((part) => part !== '').join('\n\n');
}

function typeOf(field: DescField): string {
  switch (field.fieldKind) {
    case 'scalar':
      return scalarName(field.scalar);
    case 'enum':
      return link(field.enum);
    case 'message':
      return link(field.message);
    case 'list':
      return `list of ${elementOf(field)}`;
    case 'map':
      return `map of ${scalarName(field.mapKey)} to ${elementOf(field)}`;
  }
}

function elementOf(field: DescField & { fieldKind: 'list' | 'map' }): string {
  if (field.message !== undefined) return link(field.message);
  return field.enum === undefined ? scalarName(field.scalar) : link(field.enum);
}

function scalarName(scalar: ScalarType): string {
  return ScalarType[scalar].toLowerCase();
}

/** Own types have a heading on the page; the well-known ones of protobuf have not, and neither have empty ones. */
function link(type: DescMessage | DescEnum): string {
  if (type.typeName.startsWith('google.')) return `\`${type.typeName}\``;
  if (type.kind === 'message' && type.fields.length === 0) return 'nothing';
  return `[${nameOf(type)}](#${nameOf(type).toLowerCase().replaceAll('.', '')})`;
}

/** Name within its package: `Finding.Severity`. */
function nameOf(type: DescMessage | DescEnum): string {
  return type.typeName.slice(type.file.proto.package.length + 1);
}
