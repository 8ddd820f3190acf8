import type { MessageTable, Tables } from './table.ts';

const UPSTREAM_REFUSED = {
  'sessions are not renegotiated': 'allow_renegotiation',
  'keys are used as TLS lets them': 'enforce_rsa_key_usage',
  'the server name is sni, or that of the request with auto_sni': 'auto_host_sni',
  'names are checked by match_typed_subject_alt_names, or with auto_san_validation': 'auto_sni_san_validation',
};
const TLS = 'envoy.extensions.transport_sockets.tls.v3';
const BY_SDS = 'certificates come by SDS, or stand in the configuration or in files';
const READ_ONCE = 'files are read once, when the configuration arrives';
const NO_PLUGINS = 'there are no plugins to choose from';
const STRICT = 'a certificate must be valid now, down to its root';

const VALIDATION: MessageTable = {
  honoured: `trusted_ca system_root_certs verify_certificate_spki verify_certificate_hash match_typed_subject_alt_names
    match_subject_alt_names crl trust_chain_verification`,
  refused: {
    [BY_SDS]: 'ca_certificate_provider_instance',
    [READ_ONCE]: 'watched_directory',
    [NO_PLUGINS]: 'custom_validator_config',
    [STRICT]: 'allow_expired_certificate only_verify_leaf_cert_crl max_verify_depth',
    'timestamps of certificate logs are not read': 'require_signed_certificate_timestamp',
    'names of authorities are always sent to clients': 'suppress_client_ca_list',
  },
};

/** What a server asks of certificates of its clients: less than a client can ask of its server's. */
const CLIENT_VALIDATION: MessageTable = {
  honoured: 'trusted_ca match_typed_subject_alt_names match_subject_alt_names',
  refused: {
    ...VALIDATION.refused,
    'clients are told by the names in their certificates': 'verify_certificate_spki verify_certificate_hash crl',
    'clients are believed when their certificate is': 'trust_chain_verification',
    'roots of the system vouch for no client': 'system_root_certs',
  },
};

/** Of the proxy's own connections to a control plane. */
const SERVER_VALIDATION: MessageTable = {
  honoured: 'trusted_ca match_typed_subject_alt_names',
  refused: {
    ...VALIDATION.refused,
    'the older form of match_typed_subject_alt_names': 'match_subject_alt_names',
    'a control plane is told by the names in its certificate': 'verify_certificate_spki verify_certificate_hash crl',
    'a control plane is believed when its certificate is': 'trust_chain_verification',
    'a control plane has anchors of its own': 'system_root_certs',
  },
};

const COMMON: MessageTable = {
  honoured: `tls_params tls_certificates tls_certificate_sds_secret_configs validation_context
    validation_context_sds_secret_config combined_validation_context alpn_protocols`,
  refused: {
    [BY_SDS]: `tls_certificate_provider_instance tls_certificate_certificate_provider
      tls_certificate_certificate_provider_instance validation_context_certificate_provider
      validation_context_certificate_provider_instance`,
    [NO_PLUGINS]: 'custom_handshaker custom_tls_certificate_selector',
    'keys of sessions are not written down': 'key_log',
  },
};

const CONTROL_PLANE_COMMON: MessageTable = {
  honoured: `tls_params tls_certificates tls_certificate_sds_secret_configs validation_context
    validation_context_sds_secret_config combined_validation_context`,
  hints: { 'gRPC asks for h2': 'alpn_protocols' },
  refused: COMMON.refused ?? {},
};

const COMBINED: MessageTable = {
  honoured: 'default_validation_context validation_context_sds_secret_config',
  refused: { [BY_SDS]: 'validation_context_certificate_provider validation_context_certificate_provider_instance' },
};

/** TLS of servers and of clients, and secrets. */
export const TLS_TABLES: Tables = {
  [`${TLS}.DownstreamTlsContext`]: {
    honoured: 'common_tls_context require_client_certificate require_sni',
    inside: { common_tls_context: `${TLS}.CommonTlsContext (of a server)` },
    hints: {
      'sessions are resumed by tickets alone': 'disable_stateful_session_resumption',
    },
    refused: {
      'keys of tickets are made by the process': 'session_ticket_keys session_ticket_keys_sds_secret_config',
      'sessions are resumed by tickets, for as long as TLS says':
        'disable_stateless_session_resumption session_timeout',
      'no staple of OCSP is sent': 'ocsp_staple_policy',
      'a server has one certificate': 'full_scan_certs_on_sni_mismatch',
      'the server prefers its own order of ciphers': 'prefer_client_ciphers',
    },
    harmless: { ocsp_staple_policy: 'STRICT_STAPLING' },
  },
  [`${TLS}.UpstreamTlsContext`]: { honoured: 'common_tls_context sni max_session_keys', refused: UPSTREAM_REFUSED },
  [`${TLS}.UpstreamTlsContext (of a control plane)`]: {
    honoured: 'common_tls_context sni',
    inside: { common_tls_context: `${TLS}.CommonTlsContext (of a control plane)` },
    hints: { 'a stream stays open: sessions are not resumed': 'max_session_keys' },
    refused: UPSTREAM_REFUSED,
  },
  [`${TLS}.CommonTlsContext`]: COMMON,
  [`${TLS}.CommonTlsContext (of a server)`]: {
    ...COMMON,
    inside: {
      validation_context: `${TLS}.CertificateValidationContext (of a server)`,
      combined_validation_context: `${TLS}.CommonTlsContext.CombinedCertificateValidationContext (of a server)`,
    },
  },
  [`${TLS}.CommonTlsContext (of a control plane)`]: {
    ...CONTROL_PLANE_COMMON,
    inside: {
      validation_context: `${TLS}.CertificateValidationContext (of a control plane)`,
      combined_validation_context: `${TLS}.CommonTlsContext.CombinedCertificateValidationContext (of a control plane)`,
    },
  },
  [`${TLS}.CommonTlsContext.CombinedCertificateValidationContext`]: COMBINED,
  [`${TLS}.CommonTlsContext.CombinedCertificateValidationContext (of a control plane)`]: {
    ...COMBINED,
    inside: { default_validation_context: `${TLS}.CertificateValidationContext (of a control plane)` },
  },
  [`${TLS}.CertificateValidationContext (of a control plane)`]: SERVER_VALIDATION,
  [`${TLS}.CommonTlsContext.CombinedCertificateValidationContext (of a server)`]: {
    ...COMBINED,
    inside: { default_validation_context: `${TLS}.CertificateValidationContext (of a server)` },
  },
  [`${TLS}.CertificateValidationContext`]: VALIDATION,
  [`${TLS}.CertificateValidationContext (of a server)`]: CLIENT_VALIDATION,
  [`${TLS}.CertificateValidationContext (of a secret)`]: {
    honoured: 'trusted_ca',
    refused: {
      'a secret brings the anchors; what else is checked says the context that names it': `${VALIDATION.honoured ?? ''}`
        .replace('trusted_ca', '')
        .trim(),
      ...VALIDATION.refused,
    },
  },
  [`${TLS}.CertificateValidationContext.SystemRootCerts`]: {},
  [`${TLS}.TlsCertificate`]: {
    honoured: 'certificate_chain private_key',
    refused: {
      'keys and certificates are PEM': 'pkcs12',
      'keys are not encrypted': 'password',
      [NO_PLUGINS]: 'private_key_provider',
      [READ_ONCE]: 'watched_directory',
      'no staple of OCSP is sent': 'ocsp_staple',
      'timestamps of certificate logs are not sent': 'signed_certificate_timestamp',
      'parameters are those of the context': 'tls_params',
    },
  },
  [`${TLS}.TlsParameters`]: {
    honoured:
      'tls_minimum_protocol_version tls_maximum_protocol_version cipher_suites ecdh_curves signature_algorithms',
    refused: { 'versions and ciphers are given one by one': 'compliance_policies' },
  },
  [`${TLS}.SdsSecretConfig`]: { honoured: 'name sds_config' },
  [`${TLS}.SubjectAltNameMatcher`]: {
    honoured: 'san_type matcher',
    refused: { 'names are URIs, DNS names, addresses and mailboxes': 'oid' },
  },
  [`${TLS}.Secret`]: {
    honoured: 'name tls_certificate validation_context',
    inside: { validation_context: `${TLS}.CertificateValidationContext (of a secret)` },
    refused: { 'secrets are certificates and their anchors': 'session_ticket_keys generic_secret' },
  },
  'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer': {},
  'envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport': {
    honoured: 'config transport_socket',
    refused: {
      'a connection of unknown origin is announced as local': 'allow_unspecified_address',
      'values of the header are not sent': 'tlv_as_pool_key',
    },
  },
  'envoy.config.core.v3.ProxyProtocolConfig': {
    honoured: 'version',
    refused: { 'values of the header are not sent': 'pass_through_tlvs added_tlvs' },
  },
};
