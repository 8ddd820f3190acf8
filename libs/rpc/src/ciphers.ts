/** Suites of TLS 1.3, which are all fit. */
export const TLS13_CIPHERS = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256';

/** Envoy's defaults for TLS 1.2, in its order: forward secrecy and authenticated encryption, nothing in CBC mode. */
const TLS12_CIPHERS = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
].join(':');

/** The suites of every TLS port and client of the mesh, unless its configuration says otherwise. */
export const DEFAULT_CIPHERS = `${TLS13_CIPHERS}:${TLS12_CIPHERS}`;
