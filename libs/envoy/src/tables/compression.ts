import type { Tables } from './table.ts';

/** Compressor, decompressor and their libraries. */
export const COMPRESSION: Tables = {
  'envoy.extensions.filters.http.compressor.v3.Compressor': {
    honoured: `content_length content_type disable_on_etag_header remove_accept_encoding_header runtime_enabled
      compressor_library request_direction_config response_direction_config`,
    refused: { 'of several compressors the client chooses': 'choose_first' },
  },
  'envoy.extensions.filters.http.compressor.v3.Compressor.CommonDirectionConfig': {
    honoured: 'enabled min_content_length content_type',
    refused: { 'types of content are given by name': 'content_type_matcher' },
  },
  'envoy.extensions.filters.http.compressor.v3.Compressor.RequestDirectionConfig': { honoured: 'common_config' },
  'envoy.extensions.filters.http.compressor.v3.Compressor.ResponseDirectionConfig': {
    honoured: 'common_config disable_on_etag_header remove_accept_encoding_header',
    refused: {
      'a strong ETag is removed': 'weaken_etag_on_compress',
      'responses are chosen by type and length': 'uncompressible_response_codes',
      'no header says whether a body was compressed': 'status_header_enabled',
    },
  },
  'envoy.extensions.filters.http.compressor.v3.CompressorPerRoute': { honoured: 'disabled overrides' },
  'envoy.extensions.filters.http.compressor.v3.CompressorOverrides': {
    honoured: 'response_direction_config',
    refused: { 'the library is that of the filter': 'compressor_library' },
  },
  'envoy.extensions.filters.http.compressor.v3.ResponseDirectionOverrides': {
    honoured: 'remove_accept_encoding_header',
  },
  'envoy.extensions.filters.http.decompressor.v3.Decompressor': {
    honoured: 'decompressor_library request_direction_config response_direction_config',
  },
  'envoy.extensions.filters.http.decompressor.v3.Decompressor.CommonDirectionConfig': {
    honoured: 'enabled ignore_no_transform_header',
  },
  'envoy.extensions.filters.http.decompressor.v3.Decompressor.RequestDirectionConfig': {
    honoured: 'common_config advertise_accept_encoding',
  },
  'envoy.extensions.filters.http.decompressor.v3.Decompressor.ResponseDirectionConfig': { honoured: 'common_config' },
  'envoy.extensions.compression.gzip.compressor.v3.Gzip': {
    honoured: 'memory_level compression_level compression_strategy window_bits chunk_size',
  },
  'envoy.extensions.compression.gzip.decompressor.v3.Gzip': { honoured: 'window_bits chunk_size max_inflate_ratio' },
  'envoy.extensions.compression.brotli.compressor.v3.Brotli': {
    honoured: 'quality encoder_mode window_bits input_block_bits chunk_size disable_literal_context_modeling',
  },
  'envoy.extensions.compression.brotli.decompressor.v3.Brotli': {
    honoured: 'chunk_size',
    refused: { 'the library allocates as it does': 'disable_ring_buffer_reallocation' },
  },
  'envoy.extensions.compression.zstd.compressor.v3.Zstd': {
    honoured: 'compression_level enable_checksum strategy chunk_size',
    refused: { 'there are no dictionaries': 'dictionary' },
  },
  'envoy.extensions.compression.zstd.decompressor.v3.Zstd': {
    honoured: 'chunk_size',
    refused: { 'there are no dictionaries': 'dictionaries' },
  },
};
