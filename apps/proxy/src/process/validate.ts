import { toBinary } from '@bufbuild/protobuf';
import { silentLogger } from '@flotilla/observe';
import { systemClock } from '@flotilla/runtime';
import { type Bootstrap, BootstrapSchema } from '@flotilla/wire/envoy/config/bootstrap/v3/bootstrap_pb.js';
import { type BootstrapFault, checkBootstrap } from '../bootstrap/check.ts';
import { type Fault, readBootstrap } from '../bootstrap/decode.ts';
import type { ProxyContext } from '../ports/context.ts';
import { compileListener } from '../downstream/listener.ts';
import { createSecretTable } from '../identity/secret-table.ts';
import { localNodeOf } from '../base/local-node.ts';
import { processSurroundings } from '../base/surroundings.ts';
import { prepareCel } from '../observe/prepare-cel.ts';
import { compileAccessLogs } from '../observe/compile-access-logs.ts';
import { LogServices } from '../observe/service-log/compile.ts';
import { openLogWriters } from '../observe/log-writer.ts';
import { StatsRegistry } from '../base/stats.ts';
import { openClusterManager } from '../upstream/cluster-manager.ts';

/** A bootstrap that can be used, or every fault in it with its place in the file. */
export type ValidatedBootstrap =
  | { readonly bootstrap: Bootstrap; readonly faults: null }
  | { readonly bootstrap: null; readonly faults: readonly Fault[] };

/**
 * Reads and checks a bootstrap file: syntax, fields, types, and everything that compiling its resources refuses.
 * Opens no port, no connection and no log file. Rejects with `system` when the file cannot be read.
 */
export async function validateBootstrap(file: string): Promise<ValidatedBootstrap> {
  const decoded = await readBootstrap(file);
  if (decoded.bootstrap === null) return { bootstrap: null, faults: decoded.faults };
  await prepareCel([toBinary(BootstrapSchema, decoded.bootstrap)]);
  const faults = compileFaults(decoded.bootstrap).map(({ path, message }) => decoded.faultAt(path, message));
  return faults.length === 0 ? { bootstrap: decoded.bootstrap, faults: null } : { bootstrap: null, faults };
}

/** Everything in a bootstrap that compiling its resources refuses; nothing is opened. */
export function compileFaults(bootstrap: Bootstrap): BootstrapFault[] {
  const stats = new StatsRegistry();
  const secrets = createSecretTable();
  const tools = { secrets, stats, clock: systemClock, random: Math.random, logger: silentLogger };
  const clusters = openClusterManager(tools);
  const writers = openLogWriters(tools);
  const services = new LogServices({ ...tools, clusters, node: bootstrap.node });
  const none = { get: () => null };
  const surroundings = processSurroundings(systemClock);
  const ctx: ProxyContext = {
    ...tools,
    clusters,
    routes: none,
    extensions: none,
    node: localNodeOf(bootstrap.node),
    surroundings,
  };
  return checkBootstrap(bootstrap, {
    cluster: (cluster) => clusters.check(cluster),
    listener: (listener) =>
      compileListener(listener, ctx, {
        compileAccessLogs: (configs) => compileAccessLogs(configs, { writers, services, surroundings }, Math.random),
      }),
  });
}
