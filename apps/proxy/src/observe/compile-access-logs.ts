import { FlotillaError, type Random } from '@flotilla/runtime';
import type { AccessLog as AccessLogConfig } from '@flotilla/wire/envoy/config/accesslog/v3/accesslog_pb.js';
import { FileAccessLogSchema } from '@flotilla/wire/envoy/extensions/access_loggers/file/v3/file_pb.js';
import {
  StderrAccessLogSchema,
  StdoutAccessLogSchema,
} from '@flotilla/wire/envoy/extensions/access_loggers/stream/v3/stream_pb.js';
import { unpackValid } from '@flotilla/envoy';
import { compileLogFilter } from './access-log-filter.ts';
import type { AccessLog, StreamInfo } from '@flotilla/stream';
import {
  compileFormat,
  compileFormatString,
  compileJson,
  DEFAULT_FORMAT,
  type FormatOptions,
  type Surroundings,
} from '@flotilla/format';
import type { LogWriters } from './log-writer.ts';
import type { LogServices } from './service-log/compile.ts';

const LINE: FormatOptions = { isLine: true };

/** Where logs go. */
export interface LogSinks {
  readonly writers: LogWriters;
  readonly services: Pick<LogServices, 'compile'>;
  readonly surroundings: Surroundings;
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

function compileLogger(config: AccessLogConfig, { writers, services, surroundings }: LogSinks): AccessLog {
  const any = config.configType.value;
  if (any === undefined) throw new FlotillaError('invalid', 'typed_config is missing');
  const file = unpackValid(any, FileAccessLogSchema);
  if (file !== undefined) {
    const writer = writers.open(file.path);
    const { accessLogFormat } = file;
    switch (accessLogFormat.case) {
      case 'logFormat':
        return logger(compileFormatString(accessLogFormat.value, surroundings, LINE), writer.write.bind(writer));
      case 'format':
        return logger(compileFormat(accessLogFormat.value, surroundings, LINE), writer.write.bind(writer));
      case 'jsonFormat':
      case 'typedJsonFormat':
        return logger(compileJson(accessLogFormat.value, false, surroundings), writer.write.bind(writer));
      default:
        return logger(compileFormat(DEFAULT_FORMAT, surroundings, LINE), writer.write.bind(writer));
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
    format === undefined
      ? compileFormat(DEFAULT_FORMAT, surroundings, LINE)
      : compileFormatString(format, surroundings, LINE),
    writer.write.bind(writer),
  );
}

function logger(format: (info: StreamInfo) => string, write: (line: string) => void): AccessLog {
  return (info) => write(format(info));
}
