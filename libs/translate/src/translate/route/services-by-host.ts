import { hostCovers, isWildcard } from '@flotilla/model';
import { Memo } from '../../identity.ts';
import type { Service } from '../../registry/service.ts';

const indexes = new Memo(
  (services: readonly Service[]): ReadonlyMap<string, Service> =>
    new Map(services.map((service) => [service.hostname, service])),
);

/** One index for the life of a list, whose hosts differ. */
export function servicesByHost(services: readonly Service[]): ReadonlyMap<string, Service> {
  return indexes.get(services);
}

/** Whether a host, which may be a wildcard, stands for one of the services. */
export function coversAny(host: string, services: readonly Service[]): boolean {
  if (!isWildcard(host)) return servicesByHost(services).has(host);
  return services.some((service) => hostCovers(host, service.hostname));
}

const byId = new Memo(
  (services: readonly Service[]): ReadonlyMap<string, Service> =>
    new Map(services.map((service) => [service.id, service])),
);

/** The same by their ids. */
export function servicesById(services: readonly Service[]): ReadonlyMap<string, Service> {
  return byId.get(services);
}
