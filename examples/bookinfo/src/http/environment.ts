/** The variables a service is started with: `process.env`, or a test's own. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where a neighbouring service is: `http://reviews:9080` by default, moved by `REVIEWS_HOSTNAME`, `REVIEWS_SERVICE_PORT`
 * and `SERVICES_DOMAIN` (appended to the host name: `prod.example` makes it `reviews.prod.example`).
 */
export function serviceUrl(name: 'details' | 'reviews' | 'ratings', env: Environment): string {
  const key = name.toUpperCase();
  const domain = env['SERVICES_DOMAIN'] ? `.${env['SERVICES_DOMAIN']}` : '';
  return `http://${env[`${key}_HOSTNAME`] || name}${domain}:${env[`${key}_SERVICE_PORT`] || '9080'}`;
}

/**
 * The variables that say which proxy outgoing calls take, or nothing unless `NODE_USE_ENV_PROXY` is 1: Node applies that
 * switch to its global agent only, so agents of our own have to ask.
 */
export function proxyEnvironment(env: Environment): Environment | undefined {
  return env['NODE_USE_ENV_PROXY'] === '1' ? env : undefined;
}
