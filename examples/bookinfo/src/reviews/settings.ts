import { proxyEnvironment, serviceUrl, type Environment } from '../http/environment.ts';

export interface ReviewsSettings {
  readonly podName: string;
  readonly clusterName: string;
  /** The colour that ratings are shown in; `null`: this version shows none and does not ask for them. */
  readonly starColor: string | null;
  readonly ratingsUrl: string;
  readonly ratingsTimeoutMs: number;
  readonly proxyEnv: Environment | undefined;
}

/**
 * `SERVICE_VERSION` (default v1) is enough: v1 shows no stars, v2 black, v3 red. `ENABLE_RATINGS` and `STAR_COLOR` overrule it.
 * Black stars wait 10 s for ratings, others 2.5 s: the difference between versions that delays make visible.
 */
export function parseReviewsSettings(env: Environment): ReviewsSettings {
  const version = env['SERVICE_VERSION'] || 'v1';
  const hasRatings = env['ENABLE_RATINGS'] ? env['ENABLE_RATINGS'] === 'true' : version !== 'v1';
  const starColor = env['STAR_COLOR'] || (version === 'v3' ? 'red' : 'black');
  return Object.freeze({
    podName: env['POD_NAME'] || `reviews-${version}`,
    clusterName: env['CLUSTER_NAME'] || 'null',
    starColor: hasRatings ? starColor : null,
    ratingsUrl: serviceUrl('ratings', env),
    ratingsTimeoutMs: starColor === 'black' ? 10_000 : 2_500,
    proxyEnv: proxyEnvironment(env),
  });
}
