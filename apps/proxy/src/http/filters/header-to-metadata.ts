import { compileRegexSubstitution } from '@flotilla/match';
import type { JsonValue } from '@bufbuild/protobuf';
import type { HeaderList } from '@flotilla/http-codec';
import {
  type Config_KeyValuePair as PairProto,
  type Config_Rule as RuleProto,
  Config_ValueEncode as Encoding,
  Config_ValueType as ValueType,
  ConfigSchema,
  type Config,
} from '@flotilla/wire/envoy/extensions/filters/http/header_to_metadata/v3/header_to_metadata_pb.js';
import { limit } from '@flotilla/runtime';
import type { StreamInfo } from '@flotilla/stream';
import type { FilterFactory, FilterStream, FilterVerdict, HttpFilter, ResponseHead } from '../../ports/http-filter.ts';
import { refuse } from '@flotilla/envoy';
import { mergeMetadata } from './dynamic-metadata.ts';
import { type FilterConfig, messageOf } from './filter-config.ts';

type Rule = (headers: HeaderList, info: StreamInfo) => void;

interface Rules {
  readonly request: readonly Rule[];
  readonly response: readonly Rule[];
}

const DEFAULT_NAMESPACE = 'envoy.filters.http.header_to_metadata';
/** Longer values are not noted down (Envoy). */
const MAX_VALUE_BYTES = limit({
  name: 'proxy.metadata-value-bytes',
  what: 'header value that becomes metadata (as Envoy)',
  default: 8 * 1024,
  unit: 'bytes',
  past: 'the value is not noted down',
});

/** Notes values of headers and cookies down as metadata of the request. */
export function compileHeaderToMetadataFilter(name: string, typed: FilterConfig): FilterFactory {
  const own = rulesOf(messageOf(typed, ConfigSchema));
  return {
    name,
    record: null,
    bind(perRoute) {
      const rules = perRoute === undefined ? own : (perRoute as Rules); // made by compileHeaderToMetadataRoute
      if (rules.request.length === 0 && rules.response.length === 0) return null;
      const filter = new HeaderToMetadataFilter(rules);
      return () => filter;
    },
  };
}

/** Compiles a route's `Config`. Throws `invalid`. */
export function compileHeaderToMetadataRoute(typed: FilterConfig): Rules {
  return rulesOf(messageOf(typed, ConfigSchema));
}

function rulesOf(proto: Config): Rules {
  return {
    request: proto.requestRules.map((rule, index) => compileRule(rule, `request_rules[${index}]`)),
    response: proto.responseRules.map((rule, index) => compileRule(rule, `response_rules[${index}]`)),
  };
}

function compileRule(proto: RuleProto, path: string): Rule {
  if ((proto.header === '') === (proto.cookie === '')) refuse(path, 'names either a header or a cookie');
  if (proto.cookie !== '' && proto.remove) refuse(`${path}.remove`, 'cannot be used for a cookie');
  const header = proto.header.toLowerCase();
  const read = proto.cookie === '' ? (headers: HeaderList) => headers.getCombined(header) : cookieReader(proto.cookie);
  const onPresent =
    proto.onHeaderPresent === undefined ? null : compilePair(proto.onHeaderPresent, `${path}.on_header_present`);
  const onMissing =
    proto.onHeaderMissing === undefined ? null : compilePair(proto.onHeaderMissing, `${path}.on_header_missing`);
  if (onPresent === null && onMissing === null) refuse(path, 'has neither on_header_present nor on_header_missing');
  if (proto.onHeaderMissing?.value === '') refuse(`${path}.on_header_missing.value`, 'is empty');
  return (headers, info) => {
    const value = read(headers);
    if (value === undefined) onMissing?.('', info);
    else {
      onPresent?.(value, info);
      if (proto.remove) headers.remove(header);
    }
  };
}

function cookieReader(name: string): (headers: HeaderList) => string | undefined {
  return (headers) => {
    for (const line of headers.getAll('cookie')) {
      for (const pair of line.split(';')) {
        const at = pair.indexOf('=');
        if (at !== -1 && pair.slice(0, at).trim() === name)
          return pair
            .slice(at + 1)
            .trim()
            .replace(/^"(.*)"$/, '$1');
      }
    }
    return undefined;
  };
}

function compilePair(proto: PairProto, path: string): (value: string, info: StreamInfo) => void {
  if (proto.key === '') refuse(`${path}.key`, 'is empty');
  const namespace = proto.metadataNamespace || DEFAULT_NAMESPACE;
  const rewrite = proto.regexValueRewrite;
  const substitute =
    rewrite?.pattern === undefined
      ? null
      : compileRegexSubstitution({ regex: rewrite.pattern.regex, substitution: rewrite.substitution });
  return (header, info) => {
    let value = substitute === null ? proto.value || header : substitute(header);
    if (value === '' || value.length > MAX_VALUE_BYTES) return;
    if (proto.encode === Encoding.BASE64) value = Buffer.from(value, 'base64').toString('latin1');
    const noted: JsonValue = proto.type === ValueType.NUMBER ? Number(value) : value;
    if (typeof noted === 'number' && Number.isNaN(noted)) return;
    mergeMetadata(info, namespace, { [proto.key]: noted });
  };
}

/** Holds no state of a request: one object serves all. */
class HeaderToMetadataFilter implements HttpFilter {
  readonly #rules: Rules;

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  onRequest({ request, info }: FilterStream): FilterVerdict {
    for (const rule of this.#rules.request) rule(request.headers, info);
    return 'continue';
  }

  onResponse({ info }: FilterStream, { headers }: ResponseHead): FilterVerdict {
    for (const rule of this.#rules.response) rule(headers, info);
    return 'continue';
  }
}
