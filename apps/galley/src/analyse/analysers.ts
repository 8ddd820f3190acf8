import type { Analyser } from './analyser.ts';
import { conflictingHosts } from './conflicting-hosts.ts';
import { missingDelegate } from './missing-delegate.ts';
import { missingGateway } from './missing-gateway.ts';
import { missingSubset } from './missing-subset.ts';
import { unknownHost } from './unknown-host.ts';

/** All analysers, in the order in which their findings are told. */
export const ANALYSERS: readonly Analyser[] = [
  missingSubset,
  missingGateway,
  missingDelegate,
  unknownHost,
  conflictingHosts,
];
