import { durationMs } from '@bufbuild/protobuf/wkt';
import {
  type Cluster,
  Cluster_ClusterProtocolSelection as Selection,
} from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import type {
  Http1ProtocolOptions,
  HttpProtocolOptions as CommonOptions,
} from '@flotilla/wire/envoy/config/core/v3/protocol_pb.js';
import {
  HttpProtocolOptionsSchema,
  type HttpProtocolOptions,
} from '@flotilla/wire/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js';
import type { HeaderCase } from '@flotilla/http-codec';
import { inField, refuse, unpackValid } from '@flotilla/envoy';
import { compileHeaderCase } from '../protocol/header-case.ts';
import { compileHttp2Settings, type Http2Settings } from '../protocol/http2/settings.ts';

/** How a cluster chooses its protocol: one, the client's, or what ALPN settles on. */
export type ProtocolChoice = 'http1' | 'http2' | 'downstream' | 'auto';

/** How a cluster speaks HTTP. */
export interface ProtocolSettings {
  readonly protocol: ProtocolChoice;
  readonly http2: Http2Settings;
  /** Of messages in HTTP/1. */
  readonly headerCase: HeaderCase;
  readonly idleTimeoutMs: number;
  readonly maxConnectionDurationMs: number;
  /** 0: no limit. */
  readonly maxStreamDurationMs: number;
  readonly maxRequestsPerConnection: number;
  /** SNI from the request's authority, where the TLS context names none. */
  readonly autoSni: boolean;
  /** The certificate must cover that name. */
  readonly autoSanValidation: boolean;
}

/** Envoy's default idle time-out: one hour. */
const DEFAULT_IDLE_TIMEOUT_MS = 3_600_000;
const OPTIONS_NAME = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** Compiles a cluster's HTTP options, of the present form and of the older fields. Throws `invalid` for HTTP/3. */
export function compileProtocolOptions(cluster: Cluster): ProtocolSettings {
  const options = readOptions(cluster);
  const choice =
    options === null ? legacyChoice(cluster) : choiceOf(options, `typed_extension_protocol_options["${OPTIONS_NAME}"]`);
  const common = options?.commonHttpProtocolOptions ?? cluster.commonHttpProtocolOptions;
  const upstream = options?.upstreamHttpProtocolOptions ?? cluster.upstreamHttpProtocolOptions;
  return {
    ...choice,
    ...connectionLimits(common),
    maxStreamDurationMs: common?.maxStreamDuration === undefined ? 0 : durationMs(common.maxStreamDuration),
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
    options = inField(path, () => unpackValid(any, HttpProtocolOptionsSchema)) ?? refuse(path, 'has another type');
  }
  return options;
}

type Choice = Pick<ProtocolSettings, 'protocol' | 'http2' | 'headerCase'>;

/** The older fields: HTTP/2 options alone mean HTTP/2. */
function legacyChoice(cluster: Cluster): Choice {
  const headerCase = compileHttp1(cluster.httpProtocolOptions, 'http_protocol_options');
  const http2 = compileHttp2Settings(cluster.http2ProtocolOptions, 'http2_protocol_options');
  if (cluster.protocolSelection === Selection.USE_DOWNSTREAM_PROTOCOL)
    return { protocol: 'downstream', http2, headerCase };
  return { protocol: cluster.http2ProtocolOptions === undefined ? 'http1' : 'http2', http2, headerCase };
}

function choiceOf(options: HttpProtocolOptions, path: string): Choice {
  options.httpFilters.forEach(({ name, configType }, index) => {
    const isCodec = configType.case === 'typedConfig' && configType.value.typeUrl.endsWith('.UpstreamCodec');
    if (!isCodec) refuse(`${path}.http_filters[${index}]`, `"${name}" is not supported`);
  });
  const { upstreamProtocolOptions: rule } = options;
  switch (rule.case) {
    case 'explicitHttpConfig': {
      const { protocolConfig } = rule.value;
      const at = `${path}.explicit_http_config`;
      if (protocolConfig.case === 'http3ProtocolOptions') refuse(at, 'HTTP/3 is not supported');
      if (protocolConfig.case === 'http2ProtocolOptions') {
        const http2 = compileHttp2Settings(protocolConfig.value, `${at}.http2_protocol_options`);
        return { protocol: 'http2', http2, headerCase: compileHttp1(undefined, at) };
      }
      const http1 = protocolConfig.case === 'httpProtocolOptions' ? protocolConfig.value : undefined;
      const headerCase = compileHttp1(http1, `${at}.http_protocol_options`);
      return { protocol: 'http1', http2: compileHttp2Settings(undefined, at), headerCase };
    }
    case 'useDownstreamProtocolConfig':
    case 'autoConfig': {
      const at = rule.case === 'autoConfig' ? `${path}.auto_config` : `${path}.use_downstream_protocol_config`;
      const headerCase = compileHttp1(rule.value.httpProtocolOptions, `${at}.http_protocol_options`);
      const http2 = compileHttp2Settings(rule.value.http2ProtocolOptions, `${at}.http2_protocol_options`);
      return { protocol: rule.case === 'autoConfig' ? 'auto' : 'downstream', http2, headerCase };
    }
    case undefined:
      return refuse(path, 'must set explicit_http_config, use_downstream_protocol_config or auto_config');
  }
}

function compileHttp1(options: Http1ProtocolOptions | undefined, path: string): HeaderCase {
  return compileHeaderCase(options, path);
}
