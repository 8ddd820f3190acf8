import { anyUnpack, durationMs } from '@bufbuild/protobuf/wkt';
import type { Cluster } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import type {
  Http1ProtocolOptions,
  HttpProtocolOptions as CommonOptions,
} from '@flotilla/wire/envoy/config/core/v3/protocol_pb.js';
import {
  HttpProtocolOptionsSchema,
  type HttpProtocolOptions,
} from '@flotilla/wire/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js';
import { inField, refuse, refuseWhen } from '../http/route/field.ts';

/** How a cluster speaks HTTP. */
export interface ProtocolSettings {
  readonly idleTimeoutMs: number;
  readonly maxConnectionDurationMs: number;
  readonly maxRequestsPerConnection: number;
  /** SNI from the request's authority, where the TLS context names none. */
  readonly autoSni: boolean;
  /** The certificate must cover that name. */
  readonly autoSanValidation: boolean;
}

/** Envoy's default idle time-out: one hour. */
const DEFAULT_IDLE_TIMEOUT_MS = 3_600_000;
const OPTIONS_NAME = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
const NO_HTTP2 = 'HTTP/2 to upstreams is not supported yet';

/** Compiles a cluster's HTTP options, of the present form and of the older fields. Throws `invalid` for HTTP/2 and 3. */
export function compileProtocolOptions(cluster: Cluster): ProtocolSettings {
  if (cluster.http2ProtocolOptions !== undefined) refuse('http2_protocol_options', NO_HTTP2);
  checkHttp1(cluster.httpProtocolOptions, 'http_protocol_options');
  const options = readOptions(cluster);
  if (options !== null) checkProtocol(options, `typed_extension_protocol_options["${OPTIONS_NAME}"]`);
  const common = options?.commonHttpProtocolOptions ?? cluster.commonHttpProtocolOptions;
  const upstream = options?.upstreamHttpProtocolOptions ?? cluster.upstreamHttpProtocolOptions;
  refuseWhen(upstream !== undefined && upstream.overrideAutoSniHeader !== '', 'override_auto_sni_header');
  refuseWhen(common?.maxStreamDuration !== undefined, 'common_http_protocol_options.max_stream_duration');
  return {
    ...connectionLimits(common),
    maxRequestsPerConnection: common?.maxRequestsPerConnection ?? cluster.maxRequestsPerConnection ?? 0,
    autoSni: upstream?.autoSni ?? false,
    autoSanValidation: upstream?.autoSanValidation ?? false,
  };
}

function connectionLimits(
  common: CommonOptions | undefined,
): Pick<ProtocolSettings, 'idleTimeoutMs' | 'maxConnectionDurationMs'> {
  const { idleTimeout, maxConnectionDuration } = common ?? {};
  return {
    idleTimeoutMs: idleTimeout === undefined ? DEFAULT_IDLE_TIMEOUT_MS : durationMs(idleTimeout),
    maxConnectionDurationMs: maxConnectionDuration === undefined ? 0 : durationMs(maxConnectionDuration),
  };
}

function readOptions(cluster: Cluster): HttpProtocolOptions | null {
  let options: HttpProtocolOptions | null = null;
  for (const [name, any] of Object.entries(cluster.typedExtensionProtocolOptions)) {
    const path = `typed_extension_protocol_options["${name}"]`;
    if (name !== OPTIONS_NAME) refuse(path, 'is not supported');
    options = inField(path, () => anyUnpack(any, HttpProtocolOptionsSchema)) ?? refuse(path, 'has another type');
  }
  return options;
}

function checkProtocol(options: HttpProtocolOptions, path: string): void {
  refuseWhen(options.headerValidationConfig !== undefined, `${path}.header_validation_config`);
  options.httpFilters.forEach(({ name, configType }, index) => {
    const isCodec = configType.case === 'typedConfig' && configType.value.typeUrl.endsWith('.UpstreamCodec');
    if (!isCodec) refuse(`${path}.http_filters[${index}]`, `"${name}" is not supported`);
  });
  const { upstreamProtocolOptions: rule } = options;
  switch (rule.case) {
    case 'explicitHttpConfig': {
      const { protocolConfig } = rule.value;
      if (protocolConfig.case === 'http2ProtocolOptions') refuse(`${path}.explicit_http_config`, NO_HTTP2);
      if (protocolConfig.case === 'http3ProtocolOptions')
        refuse(`${path}.explicit_http_config`, 'HTTP/3 is not supported');
      checkHttp1(protocolConfig.value, `${path}.explicit_http_config.http_protocol_options`);
      break;
    }
    // Both choose HTTP/1.1 where it is all that either side speaks: downstream is HTTP/1.1, and h2 is never offered.
    case 'useDownstreamProtocolConfig':
    case 'autoConfig':
      checkHttp1(rule.value.httpProtocolOptions, `${path}.http_protocol_options`);
      break;
    case undefined:
      break;
  }
}

function checkHttp1(options: Http1ProtocolOptions | undefined, path: string): void {
  refuseWhen(options?.headerKeyFormat !== undefined, `${path}.header_key_format`);
  refuseWhen(options?.sendFullyQualifiedUrl === true, `${path}.send_fully_qualified_url`);
}
