import type { ConnectRouter } from '@connectrpc/connect';
import { FlotillaError, type Clock } from '@flotilla/runtime';
import type { Logger, Telemetry } from '@flotilla/observe';
import type { Caller } from '@flotilla/rpc/server';
import {
  createKeyAndCsr,
  isTrustDomain,
  workloadCertificate,
  type SpiffeId,
  type WorkloadCertificate,
} from '@flotilla/spiffe';
import { compileAuthenticate } from './authenticate/authenticate.ts';
import { createBootstrapTokens } from './authenticate/bootstrap-token.ts';
import { createRateLimit, DEFAULT_RATE_LIMIT, type RateLimitSettings } from './authenticate/rate-limit.ts';
import type { Issuing } from './issue.ts';
import { type KeySource, openKeys } from './keystore/key-source.ts';
import { citadelMetrics, noMetrics } from './metrics.ts';
import { dnsNamesOf } from './policy.ts';
import { routeCitadelService } from './serve/citadel-service.ts';
import { routeIstioCertificateService } from './serve/istio-certificate-service.ts';
import { createAuthority } from './sign/authority.ts';
import { checkedLimits, grantTtlMs } from './sign/lifetime.ts';
import { decodeSigningRequest } from './sign/signing-request.ts';
import { trustBundleOf, type CaSlots } from './slots.ts';

export interface CitadelOptions {
  readonly keys: KeySource;
  readonly trustDomain: string;
  /** Lifetime of a certificate when the request wishes none. */
  readonly defaultTtlMs: number;
  readonly maxTtlMs: number;
  /** Default: a minute, or `maxTtlMs` when that is less. */
  readonly minTtlMs?: number;
  /** Who may make tokens: throws `unauthenticated` or `forbidden`. */
  readonly authoriseAdmin: (caller: Caller) => void | Promise<void>;
  /** For each identity. Default: 200 requests at once, 20 a second. */
  readonly rateLimit?: RateLimitSettings;
  readonly telemetry?: Telemetry;
  readonly logger: Logger;
  readonly clock: Clock;
}

export interface Citadel {
  /** Registers IstioCertificateService and CitadelService. Certificates are renewed over TLS with optional client certificates. */
  routes(router: ConnectRouter): void;
  /** What workloads trust. */
  readonly rootsPem: string;
  createToken(request: {
    readonly namespace: string;
    readonly serviceAccount: string;
    readonly ttlMs: number;
  }): Promise<{ readonly token: string; readonly expiresAtMs: number }>;
  /** A certificate for a server in this process. The lifetime is held within the limits. */
  issueFor(id: SpiffeId, ttlMs: number): Promise<WorkloadCertificate>;
  close(): Promise<void>;
}

/**
 * Opens the authority of a trust domain; the host serves its routes. Throws `system` when the key directory cannot be
 * used, and `invalid` for settings or keys that cannot.
 */
export async function startCitadel(options: CitadelOptions): Promise<Citadel> {
  const { trustDomain, maxTtlMs, clock, logger } = options;
  if (!isTrustDomain(trustDomain)) throw new FlotillaError('invalid', `"${trustDomain}" is not a trust domain`);
  const minTtlMs = options.minTtlMs ?? Math.min(60_000, maxTtlMs, options.defaultTtlMs);
  const lifetime = checkedLimits({ defaultTtlMs: options.defaultTtlMs, minTtlMs, maxTtlMs });
  const { root, tokenKey } = await openKeys(options.keys, trustDomain, clock);
  const tokens = createBootstrapTokens(tokenKey, trustDomain, clock);
  const slots: CaSlots = { current: await createAuthority(root, clock), next: null };
  const bundle = trustBundleOf(slots, trustDomain);
  const issuing: Issuing = {
    authenticate: compileAuthenticate(tokens, trustDomain, clock),
    takeAllowance: createRateLimit(options.rateLimit ?? DEFAULT_RATE_LIMIT, clock),
    slots,
    lifetime,
    metrics:
      options.telemetry === undefined
        ? noMetrics
        : citadelMetrics(options.telemetry.meter, root.certificate.validToDate.getTime()),
    logger,
  };
  return {
    rootsPem: bundle.rootsPem,
    routes(router) {
      routeIstioCertificateService(router, issuing);
      routeCitadelService(router, { issuing, tokens, bundle: () => bundle, authoriseAdmin: options.authoriseAdmin });
    },
    async createToken({ namespace, serviceAccount, ttlMs }) {
      return tokens.create({ trustDomain, namespace, serviceAccount }, ttlMs);
    },
    async issueFor(id, ttlMs) {
      const { privateKeyPem, csrPem } = await createKeyAndCsr(id);
      const { publicKey } = await decodeSigningRequest(csrPem);
      const issued = await slots.current.issue({
        id,
        publicKey,
        ttlMs: grantTtlMs(ttlMs, lifetime),
        dnsNames: dnsNamesOf(id),
      });
      return workloadCertificate({ chainPem: issued.pem, privateKeyPem, rootsPem: bundle.rootsPem });
    },
    // Nothing is held open between requests: keys are read at the start.
    close: () => Promise.resolve(),
  };
}
