import type { HeaderList } from '@flotilla/http-codec';
import type { Random } from '@flotilla/runtime';
import type { SubstitutionFormatString } from '@flotilla/wire/envoy/config/core/v3/substitution_format_string_pb.js';
import type {
  LocalReplyConfig,
  ResponseMapper,
} from '@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { compileLogFilter } from '../observe/access-log-filter.ts';
import type { StreamInfo } from '@flotilla/stream';
import { readDataSource } from '../base/data-source.ts';
import { inField, refuse } from '@flotilla/envoy';
import { compileFormatString, compileHeaderEdits, type Surroundings } from '@flotilla/format';

/** What a reply of the proxy says to the client. */
export interface ReplyText {
  readonly status: number;
  readonly body: string;
  readonly contentType: string;
}

/** Words a reply as the configuration has it; `headers` are the reply's own, and may be edited. */
export type LocalReplyMapping = (status: number, body: string, headers: HeaderList, info: StreamInfo) => ReplyText;

interface MappingTools {
  readonly random: Random;
  readonly surroundings: Surroundings;
}

interface Format {
  readonly print: (info: StreamInfo) => string;
  readonly contentType: string;
}

interface Mapper {
  readonly fits: (info: StreamInfo) => boolean;
  readonly status: number | null;
  readonly body: string | null;
  readonly format: Format | null;
  readonly edit: ((headers: HeaderList, info: StreamInfo) => void) | null;
}

const PLAIN: Format = { print: (info) => info.localReplyBody, contentType: 'text/plain' };

/** Compiles `local_reply_config`; null where it asks for nothing. Throws `invalid`. */
export function compileLocalReplies(
  config: LocalReplyConfig | undefined,
  tools: MappingTools,
): LocalReplyMapping | null {
  if (config === undefined || (config.mappers.length === 0 && config.bodyFormat === undefined)) return null;
  const mappers = config.mappers.map((mapper, index) =>
    inField(`local_reply_config.mappers[${index}]`, () => compileMapper(mapper, tools)),
  );
  const whole =
    config.bodyFormat === undefined ? PLAIN : compileFormat(config.bodyFormat, 'local_reply_config.body_format', tools);
  return (status, body, headers, info) => {
    info.responseCode = status;
    info.responseHeaders = headers;
    const mapper = mappers.find(({ fits }) => fits(info));
    info.localReplyBody = mapper?.body ?? body;
    mapper?.edit?.(headers, info);
    info.responseCode = mapper?.status ?? status;
    const format = mapper?.format ?? whole;
    return { status: info.responseCode, body: format.print(info), contentType: format.contentType };
  };
}

function compileMapper(proto: ResponseMapper, tools: MappingTools): Mapper {
  const { filter, statusCode } = proto;
  if (filter === undefined) return refuse('filter', 'is missing');
  if (statusCode !== undefined && (statusCode < 200 || statusCode > 599)) refuse('status_code', 'is not in 200 to 599');
  const fields = { requestHeadersToAdd: [], requestHeadersToRemove: [], responseHeadersToRemove: [] };
  return {
    fits: inField('filter', () => compileLogFilter(filter, tools.random)),
    status: statusCode ?? null,
    body: readDataSource(proto.body, 'body')?.toString() ?? null,
    format:
      proto.bodyFormatOverride === undefined
        ? null
        : compileFormat(proto.bodyFormatOverride, 'body_format_override', tools),
    edit: compileHeaderEdits({ ...fields, responseHeadersToAdd: proto.headersToAdd }, '', tools.surroundings).response,
  };
}

function compileFormat(proto: SubstitutionFormatString, path: string, { surroundings }: MappingTools): Format {
  const ofKind = proto.format.case === 'jsonFormat' ? 'application/json' : 'text/plain';
  return {
    print: inField(path, () => compileFormatString(proto, surroundings)),
    contentType: proto.contentType || ofKind,
  };
}
