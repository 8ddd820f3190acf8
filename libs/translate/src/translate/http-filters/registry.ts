import { alpn } from './alpn.ts';
import { cors } from './cors.ts';
import { fault } from './fault.ts';
import type { HttpFilter } from './http-filter.ts';
import { peerMetadata } from './peer-metadata.ts';
import { router } from './router.ts';
import { stats } from './stats.ts';

/** The HTTP filters of a connection manager, in Istio's order: the router is the last. */
export const HTTP_FILTERS: readonly HttpFilter[] = [peerMetadata, alpn, fault, cors, stats, router];
