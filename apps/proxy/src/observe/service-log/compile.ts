import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { type Any, type Duration, durationMs } from '@bufbuild/protobuf/wkt';
import type { Node } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import { ApiVersion } from '@flotilla/wire/envoy/config/core/v3/config_source_pb.js';
import {
  HTTPAccessLogEntrySchema,
  TCPAccessLogEntrySchema,
} from '@flotilla/wire/envoy/data/accesslog/v3/accesslog_pb.js';
import {
  type CommonGrpcAccessLogConfig,
  CommonGrpcAccessLogConfigSchema,
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
} from '@flotilla/wire/envoy/extensions/access_loggers/grpc/v3/als_pb.js';
import { StreamAccessLogsMessage_IdentifierSchema as IdentifierSchema } from '@flotilla/wire/envoy/service/accesslog/v3/als_pb.js';
import { inField, refuse, unpackValid } from '@flotilla/envoy';
import { compileGrpcTarget } from '../../grpc/target.ts';
import type { AccessLog } from '@flotilla/stream';
import { httpEntryOf, tcpEntryOf } from './entry.ts';
import { LogSender, type SenderTools } from './sender.ts';

const DEFAULT_FLUSH_MS = 1_000;
const DEFAULT_BUFFER_BYTES = 16_384;

export interface LogServiceTools extends SenderTools {
  /** Told to the service with the first entries of a stream. */
  readonly node: Node | undefined;
}

/** The access log services that this proxy writes to: logs with the same settings share a stream. */
export class LogServices {
  readonly #tools: LogServiceTools;
  readonly #senders = new Map<string, LogSender>();

  constructor(tools: LogServiceTools) {
    this.#tools = tools;
  }

  /** Compiles `HttpGrpcAccessLogConfig` or `TcpGrpcAccessLogConfig`; null for another type. Throws `invalid`. */
  compile(any: Any): AccessLog | null {
    const http = unpackValid(any, HttpGrpcAccessLogConfigSchema);
    if (http !== undefined) {
      const sender = this.#open(http.commonConfig, 'http');
      const lower = (names: readonly string[]) => names.map((name) => name.toLowerCase());
      const extra = {
        request: lower(http.additionalRequestHeadersToLog),
        response: lower(http.additionalResponseHeadersToLog),
        trailers: lower(http.additionalResponseTrailersToLog),
      };
      return (info) => sender.add(toBinary(HTTPAccessLogEntrySchema, httpEntryOf(info, extra)));
    }
    const tcp = unpackValid(any, TcpGrpcAccessLogConfigSchema);
    if (tcp === undefined) return null;
    const sender = this.#open(tcp.commonConfig, 'tcp');
    return (info) => sender.add(toBinary(TCPAccessLogEntrySchema, tcpEntryOf(info)));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#senders.values()].map((sender) => sender.close()));
    this.#senders.clear();
  }

  #open(config: CommonGrpcAccessLogConfig | undefined, kind: 'http' | 'tcp'): LogSender {
    if (config === undefined) return refuse('common_config', 'is missing');
    return inField('common_config', () => {
      if (config.transportApiVersion !== ApiVersion.V3) refuse('transport_api_version', 'is not V3');
      const key = `${kind} ${Buffer.from(toBinary(CommonGrpcAccessLogConfigSchema, config)).toString('base64')}`;
      const known = this.#senders.get(key);
      if (known !== undefined) return known;
      const { logName, bufferSizeBytes } = config;
      const { node } = this.#tools;
      const identifier = toBinary(
        IdentifierSchema,
        create(IdentifierSchema, { logName, ...(node === undefined ? {} : { node }) }),
      );
      const sender = new LogSender(
        {
          target: compileGrpcTarget(config.grpcService, 0, 'grpc_service'),
          pack: (entries, isFirst) => pack(kind, entries, isFirst ? identifier : null),
          flushIntervalMs: millis(config.bufferFlushInterval),
          bufferBytes: bufferSizeBytes ?? DEFAULT_BUFFER_BYTES,
        },
        this.#tools,
      );
      this.#senders.set(key, sender);
      return sender;
    });
  }
}

/** Fields of `StreamAccessLogsMessage`; a list of entries has them as its field 1. */
const IDENTIFIER = 1;
const ENTRIES = { http: 2, tcp: 3 } as const;

/** A `StreamAccessLogsMessage` of entries that are encoded already. */
function pack(kind: 'http' | 'tcp', entries: readonly Uint8Array[], identifier: Uint8Array | null): Uint8Array {
  const writer = new BinaryWriter();
  if (identifier !== null) writer.tag(IDENTIFIER, WireType.LengthDelimited).bytes(identifier);
  writer.tag(ENTRIES[kind], WireType.LengthDelimited).fork();
  for (const entry of entries) writer.tag(1, WireType.LengthDelimited).bytes(entry);
  return writer.join().finish();
}

function millis(interval: Duration | undefined): number {
  return interval === undefined ? DEFAULT_FLUSH_MS : durationMs(interval);
}
