import type { AccessLogSchema } from '@flotilla/wire/envoy/config/accesslog/v3/accesslog_pb.js';
import { FileAccessLogSchema } from '@flotilla/wire/envoy/extensions/access_loggers/file/v3/file_pb.js';
import {
  StderrAccessLogSchema,
  StdoutAccessLogSchema,
} from '@flotilla/wire/envoy/extensions/access_loggers/stream/v3/stream_pb.js';
import type { SubstitutionFormatStringSchema } from '@flotilla/wire/envoy/config/core/v3/substitution_format_string_pb.js';
import type { Any } from '@bufbuild/protobuf/wkt';
import type { MeshSettings } from '../../mesh/settings.ts';
import { type Init, typed } from '../protobuf.ts';

/** The fields of Istio's default format in its order, with their keys in JSON. */
const FIELDS: readonly (readonly [key: string, operator: string, isQuoted: boolean])[] = [
  ['start_time', '%START_TIME%', false],
  ['method', '%REQ(:METHOD)%', false],
  ['path', '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%', false],
  ['protocol', '%PROTOCOL%', false],
  ['response_code', '%RESPONSE_CODE%', false],
  ['response_flags', '%RESPONSE_FLAGS%', false],
  ['response_code_details', '%RESPONSE_CODE_DETAILS%', false],
  ['connection_termination_details', '%CONNECTION_TERMINATION_DETAILS%', false],
  ['upstream_transport_failure_reason', '%UPSTREAM_TRANSPORT_FAILURE_REASON%', true],
  ['bytes_received', '%BYTES_RECEIVED%', false],
  ['bytes_sent', '%BYTES_SENT%', false],
  ['duration', '%DURATION%', false],
  ['upstream_service_time', '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%', false],
  ['x_forwarded_for', '%REQ(X-FORWARDED-FOR)%', true],
  ['user_agent', '%REQ(USER-AGENT)%', true],
  ['request_id', '%REQ(X-REQUEST-ID)%', true],
  ['authority', '%REQ(:AUTHORITY)%', true],
  ['upstream_host', '%UPSTREAM_HOST%', true],
  ['upstream_cluster', '%UPSTREAM_CLUSTER_RAW%', false],
  ['upstream_local_address', '%UPSTREAM_LOCAL_ADDRESS%', false],
  ['downstream_local_address', '%DOWNSTREAM_LOCAL_ADDRESS%', false],
  ['downstream_remote_address', '%DOWNSTREAM_REMOTE_ADDRESS%', false],
  ['requested_server_name', '%REQUESTED_SERVER_NAME%', false],
  ['route_name', '%ROUTE_NAME%', false],
];

function defaultText(): string {
  const [start, method, path, protocol, ...rest] = FIELDS.map(([, operator, isQuoted]) =>
    isQuoted ? `"${operator}"` : operator,
  );
  return `[${start}] "${method} ${path} ${protocol}" ${rest.join(' ')}\n`;
}

/**
 * Where and how MeshConfig wants requests logged: `accessLogFile`, `accessLogEncoding`, `accessLogFormat`. Standard output
 * and error are written to as streams: opened as files they fail when they are sockets, as under many supervisors.
 */
export function accessLogs(mesh: MeshSettings): Init<typeof AccessLogSchema>[] {
  const { accessLogFile: path } = mesh.config;
  if (path === '') return [];
  const format = { case: 'logFormat' as const, value: logFormat(mesh) };
  switch (path) {
    case '/dev/stdout':
      return [logger('envoy.access_loggers.stdout', typed(StdoutAccessLogSchema, { accessLogFormat: format }))];
    case '/dev/stderr':
      return [logger('envoy.access_loggers.stderr', typed(StderrAccessLogSchema, { accessLogFormat: format }))];
    default:
      return [logger('envoy.access_loggers.file', typed(FileAccessLogSchema, { path, accessLogFormat: format }))];
  }
}

function logger(name: string, value: Any): Init<typeof AccessLogSchema> {
  return { name, configType: { case: 'typedConfig', value } };
}

function logFormat(mesh: MeshSettings): Init<typeof SubstitutionFormatStringSchema> {
  const { accessLogEncoding, accessLogFormat: custom } = mesh.config;
  if (accessLogEncoding === 'JSON') {
    const standard = Object.fromEntries(FIELDS.map(([key, operator]) => [key, operator]));
    return { format: { case: 'jsonFormat', value: typeof custom === 'object' && custom !== null ? custom : standard } };
  }
  const text = typeof custom === 'string' ? ensureLineBreak(custom) : defaultText();
  return {
    format: { case: 'textFormatSource', value: { specifier: { case: 'inlineString', value: text } } },
  };
}

function ensureLineBreak(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}
