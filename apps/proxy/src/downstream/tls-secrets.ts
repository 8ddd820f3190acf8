import type {
  CertificateValidationContext,
  TlsCertificate,
} from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import type { CommonTlsContext } from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import { readDataSource } from '../base/data-source.ts';
import { refuse } from '@flotilla/envoy';
import type { CertificateSecret, SecretHolder, SecretStore, ValidationSecret } from '../ports/secret-store.ts';
import { compileSanMatchers, type SanPredicate } from '../tls/san-match.ts';

/** A secret from wherever it comes, with the version that says when to build anew. */
export interface SecretSource<S> {
  /** SDS name; null for one that stands in the configuration. */
  readonly name: string | null;
  current(): S | null;
  version(): number;
}

export interface ValidationSource {
  /** Null: no chain of trust is asked for. */
  readonly trust: SecretSource<ValidationSecret> | null;
  readonly allowsSan: SanPredicate | null;
}

/** The server's certificate: by SDS name, or inline or in a file. Throws `invalid`. */
export function certificateSource(
  context: CommonTlsContext,
  secrets: SecretStore,
  path: string,
): SecretSource<CertificateSecret> {
  const [byName, ...moreByName] = context.tlsCertificateSdsSecretConfigs;
  const [inline, ...moreInline] = context.tlsCertificates;
  if (moreByName.length > 0 || moreInline.length > 0 || (byName !== undefined && inline !== undefined)) {
    refuse(`${path}.tls_certificates`, 'holds more than one certificate, which is not supported');
  }
  if (byName !== undefined) return fromStore(secrets.holder(byName.name), isCertificate);
  if (inline !== undefined) return fixed(readCertificate(inline, `${path}.tls_certificates[0]`));
  return refuse(`${path}.tls_certificates`, 'is missing: a server needs a certificate');
}

function readCertificate(certificate: TlsCertificate, path: string): CertificateSecret {
  const chain = readDataSource(certificate.certificateChain, `${path}.certificate_chain`);
  const key = readDataSource(certificate.privateKey, `${path}.private_key`);
  if (chain === null) return refuse(`${path}.certificate_chain`, 'is missing');
  if (key === null) return refuse(`${path}.private_key`, 'is missing');
  return { kind: 'certificate', chainPem: chain.toString(), privateKeyPem: key.toString() };
}

/** What client certificates are checked against; null when the context asks for none. Throws `invalid`. */
export function validationSource(
  context: CommonTlsContext,
  secrets: SecretStore,
  path: string,
): ValidationSource | null {
  const { validationContextType: type } = context;
  switch (type.case) {
    case undefined:
      return null;
    case 'validationContext':
      return inlineValidation(type.value, `${path}.validation_context`);
    case 'validationContextSdsSecretConfig':
      return { trust: fromStore(secrets.holder(type.value.name), isValidation), allowsSan: null };
    case 'combinedValidationContext': {
      const at = `${path}.combined_validation_context`;
      const { defaultValidationContext: own, validationContextSdsSecretConfig: sds } = type.value;
      const base = own === undefined ? null : inlineValidation(own, `${at}.default_validation_context`);
      if (sds === undefined) return base ?? refuse(at, 'names no secret');
      return { trust: fromStore(secrets.holder(sds.name), isValidation), allowsSan: base?.allowsSan ?? null };
    }
    default:
      return refuse(`${path}.validation_context_type`, 'certificate providers are not supported');
  }
}

function inlineValidation(context: CertificateValidationContext, path: string): ValidationSource {
  const pem = readDataSource(context.trustedCa, `${path}.trusted_ca`);
  return {
    trust: pem === null ? null : fixed({ kind: 'validation', trustedCaPem: pem.toString() }),
    allowsSan: compileSanMatchers(context, path),
  };
}

function fromStore<S>(holder: SecretHolder, is: (secret: ReturnType<SecretHolder['current']>) => S | null) {
  return { name: holder.name, current: () => is(holder.current()), version: () => holder.version() };
}

function fixed<S>(secret: S): SecretSource<S> {
  return { name: null, current: () => secret, version: () => 0 };
}

function isCertificate(secret: ReturnType<SecretHolder['current']>): CertificateSecret | null {
  return secret?.kind === 'certificate' ? secret : null;
}

function isValidation(secret: ReturnType<SecretHolder['current']>): ValidationSecret | null {
  return secret?.kind === 'validation' ? secret : null;
}
