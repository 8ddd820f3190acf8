/** A certificate chain with its key, PEM (SDS `TlsCertificate`). */
export interface CertificateSecret {
  readonly kind: 'certificate';
  readonly chainPem: string;
  readonly privateKeyPem: string;
}

/** Trust anchors, PEM (SDS `CertificateValidationContext`). SAN rules come from the TLS context that refers to it. */
export interface ValidationSecret {
  readonly kind: 'validation';
  readonly trustedCaPem: string;
}

export type Secret = CertificateSecret | ValidationSecret;

/** One named secret. `version` grows by one whenever the value changes. */
export interface SecretHolder {
  readonly name: string;
  /** `null` until the first value arrived. */
  current(): Secret | null;
  version(): number;
  /** Calls back on every change, not for the present value. Returns the function that ends it. */
  subscribe(listener: () => void): () => void;
}

/** The secrets of one proxy process, wherever they come from: the agent in this process, SDS, ADS or the bootstrap. */
export interface SecretStore {
  /** The holder of a name, made on first use; the source starts delivering when somebody holds it. */
  holder(name: string): SecretHolder;
}
