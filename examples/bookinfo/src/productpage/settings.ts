import { pathToFileURL } from 'node:url';
import { proxyEnvironment, serviceUrl, type Environment } from '../http/environment.ts';

export interface ProductpageSettings {
  readonly detailsUrl: string;
  readonly reviewsUrl: string;
  readonly ratingsUrl: string;
  /** For one try of one call. */
  readonly callTimeoutMs: number;
  readonly proxyEnv: Environment | undefined;
  /** Style sheet and pictures. */
  readonly staticFolder: URL;
}

const STATIC_FOLDER = new URL('../../static/', import.meta.url);

export function parseProductpageSettings(env: Environment): ProductpageSettings {
  return Object.freeze({
    detailsUrl: serviceUrl('details', env),
    reviewsUrl: serviceUrl('reviews', env),
    ratingsUrl: serviceUrl('ratings', env),
    callTimeoutMs: 3_000,
    proxyEnv: proxyEnvironment(env),
    staticFolder: env['STATIC_FOLDER'] ? pathToFileURL(`${env['STATIC_FOLDER']}/`) : STATIC_FOLDER,
  });
}
