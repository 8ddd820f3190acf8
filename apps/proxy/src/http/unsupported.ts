import type { HttpConnectionManager } from '@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { refuseWhen } from '@flotilla/envoy';

/** Refuses what a connection manager may ask for and this proxy does not do, by the field's name. */
export function refuseUnsupportedManager(proto: HttpConnectionManager): void {
  refuseWhen(proto.tracing?.provider !== undefined, 'tracing.provider');
  refuseWhen(proto.addUserAgent === true, 'add_user_agent');
  refuseWhen(proto.accessLogFlushInterval !== undefined, 'access_log_flush_interval');
  refuseWhen(proto.flushAccessLogOnNewRequest, 'flush_access_log_on_new_request');
  const logOptions = proto.accessLogOptions;
  refuseWhen(logOptions?.accessLogFlushInterval !== undefined, 'access_log_options.access_log_flush_interval');
  refuseWhen(logOptions?.flushAccessLogOnNewRequest === true, 'access_log_options.flush_access_log_on_new_request');
  refuseWhen(
    logOptions?.flushLogOnTunnelSuccessfullyEstablished === true,
    'access_log_options.flush_log_on_tunnel_successfully_established',
  );
  refuseWhen(proto.originalIpDetectionExtensions.length > 0, 'original_ip_detection_extensions');
  refuseWhen(proto.earlyHeaderMutationExtensions.length > 0, 'early_header_mutation_extensions');
  refuseWhen(proto.internalAddressConfig?.unixSockets === true, 'internal_address_config.unix_sockets');
  refuseWhen(hasOtherRequestId(proto), 'request_id_extension');
  refuseWhen(proto.streamErrorOnInvalidHttpMessage === true, 'stream_error_on_invalid_http_message');
  refuseWhen(proto.pathNormalizationOptions !== undefined, 'path_normalization_options');
  refuseWhen(proto.proxyStatusConfig !== undefined, 'proxy_status_config');
  refuseWhen(proto.typedHeaderValidationConfig !== undefined, 'typed_header_validation_config');
  refuseWhen(proto.appendLocalOverload, 'append_local_overload');
  refuseWhen(proto.schemeHeaderTransformation?.matchUpstream === true, 'scheme_header_transformation.match_upstream');
  refuseWhen(proto.representIpv4RemoteAddressAsIpv4MappedIpv6, 'represent_ipv4_remote_address_as_ipv4_mapped_ipv6');
  const http1 = proto.httpProtocolOptions;
  refuseWhen(http1?.allowAbsoluteUrl === false, 'http_protocol_options.allow_absolute_url: false');
  refuseWhen(http1?.allowChunkedLength === true, 'http_protocol_options.allow_chunked_length');
  refuseWhen(http1?.sendFullyQualifiedUrl === true, 'http_protocol_options.send_fully_qualified_url');
  refuseWhen(
    http1?.overrideStreamErrorOnInvalidHttpMessage === true,
    'http_protocol_options.override_stream_error_on_invalid_http_message',
  );
}

function hasOtherRequestId(proto: HttpConnectionManager): boolean {
  const typeUrl = proto.requestIdExtension?.typedConfig?.typeUrl;
  return typeUrl !== undefined && !typeUrl.endsWith('.UuidRequestIdConfig');
}
