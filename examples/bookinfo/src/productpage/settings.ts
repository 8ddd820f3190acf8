import { proxyEnvironment, serviceUrl, type Environment } from '../http/environment.ts';

export interface ProductpageSettings {
  readonly detailsUrl: string;
  readonly reviewsUrl: string;
  readonly ratingsUrl: string;
  /** For one try of one call. */
  readonly callTimeoutMs: number;
  readonly proxyEnv: Environment | undefined;
}

export function parseProductpageSettings(env: Environment): ProductpageSettings {
  return Object.freeze({
    detailsUrl: serviceUrl('details', env),
    reviewsUrl: serviceUrl('reviews', env),
    ratingsUrl: serviceUrl('ratings', env),
    callTimeoutMs: 3_000,
    proxyEnv: proxyEnvironment(env),
  });
}
