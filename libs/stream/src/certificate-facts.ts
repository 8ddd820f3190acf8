/** Subject alternative names by kind. */
export interface SubjectAltNames {
  readonly uri: readonly string[];
  readonly dns: readonly string[];
  readonly ip: readonly string[];
  readonly email: readonly string[];
}

/** A certificate as logs, headers and rules see it. */
export interface CertificateFacts {
  readonly names: SubjectAltNames;
  /** RFC 2253 text, as `x-forwarded-client-cert` prints it. */
  readonly subject: string;
  readonly issuer: string;
  /** Lower-case hexadecimal, as the fingerprints are. */
  readonly serial: string;
  /** Of the DER form. */
  readonly sha1: string;
  readonly sha256: string;
  readonly pem: string;
  readonly validFromMs: number;
  readonly validToMs: number;
}
