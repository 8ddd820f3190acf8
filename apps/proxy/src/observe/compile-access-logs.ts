import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { FlotillaError, printable, type Random } from '@flotilla/runtime';
import type { AccessLog as AccessLogConfig } from '@flotilla/wire/envoy/config/accesslog/v3/accesslog_pb.js';
import type { SubstitutionFormatString } from '@flotilla/wire/envoy/config/core/v3/substitution_format_string_pb.js';
import { FileAccessLogSchema } from '@flotilla/wire/envoy/extensions/access_loggers/file/v3/file_pb.js';
import {
  StderrAccessLogSchema,
  StdoutAccessLogSchema,
} from '@flotilla/wire/envoy/extensions/access_loggers/stream/v3/stream_pb.js';
import { unpackValid } from '@flotilla/envoy';
import { compileLogFilter } from './access-log-filter.ts';
import type { AccessLog, StreamInfo } from '@flotilla/stream';
import { compileFormat, compileTypedFormat, type FormatOptions } from './header-formatter.ts';
import type { LogWriters } from './log-writer.ts';
import type { LogServices } from './service-log/compile.ts';

/** Envoy's format when a log names none. */
export const DEFAULT_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" ' +
  '"%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

const LINE: FormatOptions = { isLine: true };

/** Where logs go. */
export interface LogSinks {
  readonly writers: LogWriters;
  readonly services: Pick<LogServices, 'compile'>;
}

/**
 * Compiles `access_log` lists: the file, stdout and stderr loggers with text or JSON formats, and log services (ALS). Throws `invalid` for
 * other loggers, and for filters and formats that cannot be honoured.
 */
export function compileAccessLogs(configs: readonly AccessLogConfig[], sinks: LogSinks, random: Random): AccessLog[] {
  return configs.map((config, index) => {
    try {
      return compileAccessLog(config, sinks, random);
    } catch (error) {
      throw FlotillaError.from(error).within(`access_log[${index}]`);
    }
  });
}

function compileAccessLog(config: AccessLogConfig, sinks: LogSinks, random: Random): AccessLog {
  const log = compileLogger(config, sinks);
  if (config.filter === undefined) return log;
  const passes = compileLogFilter(config.filter, random);
  return (info) => {
    if (passes(info)) log(info);
  };
}

function compileLogger(config: AccessLogConfig, { writers, services }: LogSinks): AccessLog {
  const any = config.configType.value;
  if (any === undefined) throw new FlotillaError('invalid', 'typed_config is missing');
  const file = unpackValid(any, FileAccessLogSchema);
  if (file !== undefined) {
    const writer = writers.open(file.path);
    const { accessLogFormat } = file;
    switch (accessLogFormat.case) {
      case 'logFormat':
        return logger(compileFormatString(accessLogFormat.value, LINE), writer.write.bind(writer));
      case 'format':
        return logger(compileFormat(accessLogFormat.value, LINE), writer.write.bind(writer));
      case 'jsonFormat':
      case 'typedJsonFormat':
        return logger(compileJson(accessLogFormat.value, false), writer.write.bind(writer));
      default:
        return logger(compileFormat(DEFAULT_FORMAT, LINE), writer.write.bind(writer));
    }
  }
  const standard = unpackValid(any, StdoutAccessLogSchema) ?? unpackValid(any, StderrAccessLogSchema);
  const service = standard === undefined ? services.compile(any) : null;
  if (service !== null) return service;
  if (standard === undefined) {
    throw new FlotillaError('invalid', `${any.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1)} is not supported`);
  }
  const writer = writers.open(standard.$typeName.endsWith('StdoutAccessLog') ? '/dev/stdout' : '/dev/stderr');
  const format = standard.accessLogFormat.value;
  return logger(
    format === undefined ? compileFormat(DEFAULT_FORMAT, LINE) : compileFormatString(format, LINE),
    writer.write.bind(writer),
  );
}

function logger(format: (info: StreamInfo) => string, write: (line: string) => void): AccessLog {
  return (info) => write(format(info));
}

/** Compiles a format of text or JSON; an empty text is the default access log's. Throws `invalid`. */
export function compileFormatString(
  config: SubstitutionFormatString,
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
      return compileFormat(config.format.value || DEFAULT_FORMAT, options);
    case 'textFormatSource': {
      const { specifier } = config.format.value;
      if (specifier.case === 'inlineString') return compileFormat(specifier.value || DEFAULT_FORMAT, options);
      if (specifier.case === 'inlineBytes') return compileFormat(Buffer.from(specifier.value).toString(), options);
      throw new FlotillaError('invalid', `text_format_source.${specifier.case ?? 'empty'} is not supported`);
    }
    case 'jsonFormat':
      return compileJson(config.format.value, config.omitEmptyValues);
    default:
      return compileFormat(DEFAULT_FORMAT, options);
  }
}

/** Formatter extensions whose operators are always there. */
const BUILT_IN_FORMATTERS: ReadonlySet<string> = new Set([
  'envoy.extensions.formatter.cel.v3.Cel',
  'envoy.extensions.formatter.metadata.v3.Metadata',
  'envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery',
]);

type JsonPrinter = (info: StreamInfo) => JsonValue;

function compileJson(template: JsonObject, omitEmpty: boolean): (info: StreamInfo) => string {
  const print = compileJsonValue(template, omitEmpty);
  return (info) => `${printable(JSON.stringify(print(info)))}\n`;
}

function compileJsonValue(template: JsonValue, omitEmpty: boolean): JsonPrinter {
  if (typeof template === 'string') return compileTypedFormat(template);
  if (Array.isArray(template)) {
    const items = template.map((item) => compileJsonValue(item, omitEmpty));
    return (info) => items.map((item) => item(info));
  }
  if (typeof template === 'object' && template !== null) {
    // In the order of their names, as Envoy writes them.
    const fields = Object.entries(template)
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
      .map(([key, value]) => [key, compileJsonValue(value, omitEmpty)] as const);
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
