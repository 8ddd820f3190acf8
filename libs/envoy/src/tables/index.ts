import { ACCESS_LOG } from './access-log.ts';
import { BOOTSTRAP } from './bootstrap.ts';
import { CLUSTER } from './cluster.ts';
import { COMPRESSION } from './compression.ts';
import { CONNECTION_MANAGER } from './connection-manager.ts';
import { CORE } from './core.ts';
import { ENDPOINT } from './endpoint.ts';
import { HEALTH_CHECK } from './health-check.ts';
import { HTTP_FILTERS } from './http-filters.ts';
import { LISTENER } from './listener.ts';
import { LOAD_BALANCING } from './load-balancing.ts';
import { MATCHERS } from './matchers.ts';
import { NETWORK_FILTERS } from './network-filters.ts';
import { PROTOCOL } from './protocol.ts';
import { RATE_LIMIT } from './rate-limit.ts';
import { ROUTE } from './route.ts';
import { ROUTE_ACTION } from './route-action.ts';
import type { Tables } from './table.ts';
import { TLS_TABLES } from './tls.ts';

/** Titles of the tables, for readers: in the order in which a connection and a request meet them. */
export const SUBJECTS: readonly (readonly [title: string, tables: Tables])[] = [
  ['Bootstrap', BOOTSTRAP],
  ['Listeners', LISTENER],
  ['Network filters', NETWORK_FILTERS],
  ['HTTP connection manager', CONNECTION_MANAGER],
  ['HTTP protocol options', PROTOCOL],
  ['HTTP filters', HTTP_FILTERS],
  ['Rate limits', RATE_LIMIT],
  ['Compression', COMPRESSION],
  ['Routes', ROUTE],
  ['Route actions', ROUTE_ACTION],
  ['Clusters', CLUSTER],
  ['Load balancing', LOAD_BALANCING],
  ['Endpoints', ENDPOINT],
  ['Health checks and outlier detection', HEALTH_CHECK],
  ['TLS', TLS_TABLES],
  ['Access logs', ACCESS_LOG],
  ['Matchers', MATCHERS],
  ['Common messages', CORE],
];

/** What the data plane does with each message that it reads, by the name of the table. */
export const TABLES: Tables = Object.fromEntries(SUBJECTS.flatMap(([, tables]) => Object.entries(tables)));

export { type FieldVerdict, type MessageTable, type Tables, verdictsOf } from './table.ts';
