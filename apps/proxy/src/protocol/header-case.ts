import { type HeaderCase, properCase } from '@flotilla/http-codec';
import type { Http1ProtocolOptions } from '@flotilla/wire/envoy/config/core/v3/protocol_pb.js';
import {
  PreserveCaseFormatterConfig_FormatterTypeOnEnvoyHeaders as OwnHeaders,
  PreserveCaseFormatterConfigSchema,
} from '@flotilla/wire/envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case_pb.js';
import { refuse, unpackValid } from '@flotilla/envoy';

/** Compiles `header_key_format`. Throws `invalid` for a formatter that is not known. */
export function compileHeaderCase(options: Http1ProtocolOptions | undefined, path: string): HeaderCase {
  const format = options?.headerKeyFormat?.headerFormat;
  const field = `${path}.header_key_format`;
  switch (format?.case) {
    case 'properCaseWords':
      return { keeps: false, otherwise: properCase };
    case 'statefulFormatter': {
      const { name, typedConfig } = format.value;
      const config =
        typedConfig === undefined ? undefined : unpackValid(typedConfig, PreserveCaseFormatterConfigSchema);
      if (config === undefined) return refuse(`${field}.stateful_formatter`, `"${name}" is not supported`);
      const isProper = config.formatterTypeOnEnvoyHeaders === OwnHeaders.PROPER_CASE;
      return { keeps: true, otherwise: isProper ? properCase : null };
    }
    case undefined:
      if (options?.headerKeyFormat !== undefined) refuse(field, 'says no format');
      return { keeps: false, otherwise: null };
  }
}
