import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { FlotillaError, printable } from '@flotilla/runtime';
import type { StreamInfo } from '@flotilla/stream';
import type { SubstitutionFormatString } from '@flotilla/wire/envoy/config/core/v3/substitution_format_string_pb.js';
import { compileFormat, compileTypedFormat, type FormatOptions } from './header-formatter.ts';
import type { Surroundings } from './surroundings.ts';

/** Envoy's format when a log names none. */
export const DEFAULT_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" ' +
  '"%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

const TEXT = new TextDecoder('utf-8', { ignoreBOM: true });

/** Compiles a format of text or JSON; an empty text is the default access log's. Throws `invalid`. */
export function compileFormatString(
  config: SubstitutionFormatString,
  surroundings: Surroundings,
  { isLine = false }: Pick<FormatOptions, 'isLine'> = {},
): (info: StreamInfo) => string {
  for (const { name, typedConfig } of config.formatters) {
    const type = typedConfig?.typeUrl.slice(typedConfig.typeUrl.lastIndexOf('/') + 1) ?? '';
    if (!BUILT_IN_FORMATTERS.has(type)) {
      throw new FlotillaError('invalid', `formatters: "${name}" (${type || 'no typed_config'}) is not supported`);
    }
  }
  const options = { absent: config.omitEmptyValues ? '' : '-', isLine };
  switch (config.format.case) {
    case 'textFormat':
      return compileFormat(config.format.value || DEFAULT_FORMAT, surroundings, options);
    case 'textFormatSource': {
      const { specifier } = config.format.value;
      if (specifier.case === 'inlineString')
        return compileFormat(specifier.value || DEFAULT_FORMAT, surroundings, options);
      if (specifier.case === 'inlineBytes') return compileFormat(TEXT.decode(specifier.value), surroundings, options);
      throw new FlotillaError('invalid', `text_format_source.${specifier.case ?? 'empty'} is not supported`);
    }
    case 'jsonFormat':
      return compileJson(config.format.value, config.omitEmptyValues, surroundings);
    default:
      return compileFormat(DEFAULT_FORMAT, surroundings, options);
  }
}

/** Formatter extensions whose operators are always there. */
const BUILT_IN_FORMATTERS: ReadonlySet<string> = new Set([
  'envoy.extensions.formatter.cel.v3.Cel',
  'envoy.extensions.formatter.metadata.v3.Metadata',
  'envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery',
]);

type JsonPrinter = (info: StreamInfo) => JsonValue;

/** Compiles a format of JSON, a line for each record. Throws `invalid`. */
export function compileJson(
  template: JsonObject,
  omitEmpty: boolean,
  surroundings: Surroundings,
): (info: StreamInfo) => string {
  const print = compileJsonValue(template, omitEmpty, surroundings);
  return (info) => `${printable(JSON.stringify(print(info)))}\n`;
}

function compileJsonValue(template: JsonValue, omitEmpty: boolean, surroundings: Surroundings): JsonPrinter {
  if (typeof template === 'string') return compileTypedFormat(template, surroundings);
  if (Array.isArray(template)) {
    const items = template.map((item) => compileJsonValue(item, omitEmpty, surroundings));
    return (info) => items.map((item) => item(info));
  }
  if (typeof template === 'object' && template !== null) {
    // In the order of their names, as Envoy writes them.
    const fields = Object.entries(template)
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
      .map(([key, value]) => [key, compileJsonValue(value, omitEmpty, surroundings)] as const);
    return (info) => {
      const object: JsonObject = {};
      for (const [key, value] of fields) {
        const printed = value(info);
        if (printed !== null || !omitEmpty) object[key] = printed;
      }
      return object;
    };
  }
  return () => template;
}
