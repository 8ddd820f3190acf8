import { rootCertificates } from 'node:tls';
import {
  type CertificateValidationContext,
  CertificateValidationContext_TrustChainVerification as TrustChain,
  SubjectAltNameMatcher_SanType as SanType,
  type TlsCertificate,
} from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import type {
  CommonTlsContext,
  UpstreamTlsContext,
} from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import type { SubjectAltNames } from '@flotilla/stream';
import { compileSanMatchers } from '../tls/san-match.ts';
import { compileTlsParameters, type TlsParameterOptions } from '../tls/tls-parameters.ts';
import { readDataSource } from '../base/data-source.ts';
import { refuse } from '@flotilla/envoy';
import type { CertificateSecret } from '../ports/secret-store.ts';

/** A value of the configuration, or the name of a secret that brings it. */
export type Provided<T> =
  { readonly kind: 'fixed'; readonly value: T } | { readonly kind: 'secret'; readonly name: string };

/** How a server's certificate is judged. */
export interface PeerRules {
  /** Trust anchors, PEM; null: every chain is accepted, as in Envoy. */
  readonly trust: Provided<string> | null;
  /** The chain may fail, the names must not (`ACCEPT_UNTRUSTED`). */
  readonly acceptUntrusted: boolean;
  /** Null: every name is allowed. */
  readonly sans: { readonly matches: (names: SubjectAltNames) => boolean; readonly text: string } | null;
  /** SHA-256 of the certificate, lower-case hexadecimal; empty: not asked. */
  readonly certificateHashes: ReadonlySet<string>;
  /** Base64 of the SHA-256 of the public key; empty: not asked. */
  readonly publicKeyHashes: ReadonlySet<string>;
  readonly crlPem: string | null;
}

/** An `UpstreamTlsContext`, compiled; secrets are still names. */
export interface TlsSettings {
  /** Null: no SNI unless the request decides. */
  readonly serverName: string | null;
  /** Empty: the pool's own protocol is offered. */
  readonly alpn: readonly string[];
  readonly parameters: TlsParameterOptions;
  readonly certificate: Provided<CertificateSecret> | null;
  readonly peer: PeerRules;
  readonly reusesSessions: boolean;
}

const ACCEPT_ANY: PeerRules = {
  trust: null,
  acceptUntrusted: false,
  sans: null,
  certificateHashes: new Set(),
  publicKeyHashes: new Set(),
  crlPem: null,
};

/** Compiles the client side of TLS. Throws `invalid`, naming the field. */
export function compileTlsSettings(context: UpstreamTlsContext, path: string): TlsSettings {
  const common = context.commonTlsContext;
  const at = `${path}.common_tls_context`;
  const parameters = compileTlsParameters(common?.tlsParams, `${at}.tls_params`);
  const hasMaximum = (common?.tlsParams?.tlsMaximumProtocolVersion ?? 0) !== 0;
  return {
    serverName: context.sni === '' ? null : context.sni,
    alpn: common?.alpnProtocols ?? [],
    // Envoy's clients stop at TLS 1.2 unless told otherwise; so a refused client certificate shows while connecting.
    parameters:
      hasMaximum || parameters.minVersion === 'TLSv1.3' ? parameters : { ...parameters, maxVersion: 'TLSv1.2' },
    certificate: common === undefined ? null : compileCertificate(common, at),
    peer: common === undefined ? ACCEPT_ANY : compilePeerRules(common, at),
    reusesSessions: context.maxSessionKeys !== 0,
  };
}

function compileCertificate(common: CommonTlsContext, path: string): Provided<CertificateSecret> | null {
  const { tlsCertificates: inline, tlsCertificateSdsSecretConfigs: named } = common;
  if (inline.length + named.length > 1) refuse(`${path}.tls_certificates`, 'a client has one certificate');
  const [secret] = named;
  if (secret !== undefined) return { kind: 'secret', name: secret.name };
  const [certificate] = inline;
  return certificate === undefined
    ? null
    : { kind: 'fixed', value: readCertificate(certificate, `${path}.tls_certificates[0]`) };
}

function readCertificate(certificate: TlsCertificate, path: string): CertificateSecret {
  const chain = readDataSource(certificate.certificateChain, `${path}.certificate_chain`);
  const key = readDataSource(certificate.privateKey, `${path}.private_key`);
  if (chain === null) return refuse(`${path}.certificate_chain`, 'is missing');
  if (key === null) return refuse(`${path}.private_key`, 'is missing');
  return { kind: 'certificate', chainPem: chain.toString(), privateKeyPem: key.toString() };
}

function compilePeerRules(common: CommonTlsContext, path: string): PeerRules {
  const rule = common.validationContextType;
  switch (rule.case) {
    case undefined:
      return ACCEPT_ANY;
    case 'validationContext':
      return compileValidation(rule.value, `${path}.validation_context`);
    case 'validationContextSdsSecretConfig':
      return { ...ACCEPT_ANY, trust: { kind: 'secret', name: rule.value.name } };
    case 'combinedValidationContext': {
      const at = `${path}.combined_validation_context`;
      const { defaultValidationContext: own, validationContextSdsSecretConfig: secret } = rule.value;
      const base = own === undefined ? ACCEPT_ANY : compileValidation(own, `${at}.default_validation_context`);
      return secret === undefined
        ? refuse(`${at}.validation_context_sds_secret_config`, 'is missing')
        : { ...base, trust: { kind: 'secret', name: secret.name } };
    }
    default:
      return refuse(`${path}.validation_context_type`, 'certificate providers are not supported');
  }
}

function compileValidation(context: CertificateValidationContext, path: string): PeerRules {
  const own = readDataSource(context.trustedCa, `${path}.trusted_ca`)?.toString() ?? null;
  const pem = context.systemRootCerts === undefined ? own : rootCertificates.join('\n');
  const sans = compileSans(context, path);
  if (sans !== null && pem === null && context.trustChainVerification === TrustChain.VERIFY_TRUST_CHAIN) {
    // A name that nobody vouches for proves nothing; Envoy refuses this too, unless SDS brings the anchors.
    if (!path.endsWith('default_validation_context')) refuse(`${path}.trusted_ca`, 'is missing, but names are matched');
  }
  return {
    trust: pem === null ? null : { kind: 'fixed', value: pem },
    acceptUntrusted: context.trustChainVerification === TrustChain.ACCEPT_UNTRUSTED,
    sans,
    certificateHashes: new Set(context.verifyCertificateHash.map((hash) => hash.replaceAll(':', '').toLowerCase())),
    publicKeyHashes: new Set(context.verifyCertificateSpki),
    crlPem: readDataSource(context.crl, `${path}.crl`)?.toString() ?? null,
  };
}

/** A wildcard in a server's certificate (`*.example.com`) satisfies an exact DNS rule below it, as in Envoy. */
function compileSans(context: CertificateValidationContext, path: string): PeerRules['sans'] {
  const typed = context.matchTypedSubjectAltNames;
  const exactDns = typed.flatMap(({ sanType, matcher }) =>
    sanType === SanType.DNS && matcher?.matchPattern.case === 'exact' ? [matcher.matchPattern.value] : [],
  );
  const matches = compileSanMatchers(context, path);
  if (matches === null) return null;
  const text = [...typed.map((each) => each.matcher), ...context.matchSubjectAltNames]
    .map((matcher) => `${matcher?.matchPattern.case ?? ''} ${patternText(matcher?.matchPattern.value)}`)
    .join(', ');
  return {
    text,
    matches: (names) => matches(names) || exactDns.some((name) => names.dns.some((san) => coversDnsName(san, name))),
  };
}

function patternText(pattern: unknown): string {
  if (typeof pattern === 'string') return pattern;
  return typeof pattern === 'object' && pattern !== null && 'regex' in pattern ? String(pattern.regex) : '';
}

/** Whether a DNS name of a certificate, perhaps with a wildcard as its first label, stands for `name`. */
export function coversDnsName(san: string, name: string): boolean {
  const pattern = san.toLowerCase();
  const wanted = name.toLowerCase();
  if (!pattern.startsWith('*.')) return pattern === wanted;
  const dot = wanted.indexOf('.');
  return dot > 0 && wanted.slice(dot) === pattern.slice(1);
}
