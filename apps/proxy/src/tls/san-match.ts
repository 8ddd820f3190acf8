import { compileStringMatcher } from '@flotilla/match';
import {
  type CertificateValidationContext,
  SubjectAltNameMatcher_SanType as SanType,
} from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import { refuse, stringMatchOf } from '@flotilla/envoy';
import type { SubjectAltNames } from '@flotilla/stream';

/** Whether any name of a certificate is allowed. */
export type SanPredicate = (names: SubjectAltNames) => boolean;

/** Compiles `match_typed_subject_alt_names` (and the older untyped list); null where every name is allowed. */
export function compileSanMatchers(context: CertificateValidationContext, path: string): SanPredicate | null {
  const matchers: SanPredicate[] = context.matchTypedSubjectAltNames.map((typed, index) => {
    const at = `${path}.match_typed_subject_alt_names[${index}]`;
    const matches = compileStringMatcher(stringMatchOf(typed.matcher, `${at}.matcher`));
    const select = selectorOf(typed.sanType, at);
    return (names) => select(names).some((name) => matches(name));
  });
  context.matchSubjectAltNames.forEach((matcher, index) => {
    const matches = compileStringMatcher(stringMatchOf(matcher, `${path}.match_subject_alt_names[${index}]`));
    matchers.push(({ uri, dns, ip, email }) => [...uri, ...dns, ...ip, ...email].some((name) => matches(name)));
  });
  if (matchers.length === 0) return null;
  return (names) => matchers.some((matches) => matches(names));
}

function selectorOf(type: SanType, path: string): (names: SubjectAltNames) => readonly string[] {
  switch (type) {
    case SanType.URI:
      return (names) => names.uri;
    case SanType.DNS:
      return (names) => names.dns;
    case SanType.IP_ADDRESS:
      return (names) => names.ip;
    case SanType.EMAIL:
      return (names) => names.email;
    default:
      return refuse(`${path}.san_type`, 'is not supported', 'URI, DNS, IP_ADDRESS and EMAIL are.');
  }
}
