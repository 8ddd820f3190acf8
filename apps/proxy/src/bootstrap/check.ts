import { isFieldSet, type JsonValue } from '@bufbuild/protobuf';
import { FlotillaError } from '@flotilla/runtime';
import { type Bootstrap, BootstrapSchema } from '@flotilla/wire/envoy/config/bootstrap/v3/bootstrap_pb.js';
import type { Cluster } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import type { Listener } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import { controlClusterNames } from '../config/control-connections.ts';
import { decodeSecret } from '../identity/decode-secret.ts';
import { compileStatsConfig } from '../base/stats-config.ts';
import type { FieldPath } from '@flotilla/envoy';
import { maxDownstreamConnections } from './overload.ts';
import { isEnvoysKey, runtimeEntries } from './runtime.ts';

export interface BootstrapFault {
  readonly path: FieldPath;
  readonly message: string;
}

/** Top-level fields that are honoured. */
const HONOURED = new Set([
  'node',
  'static_resources',
  'dynamic_resources',
  'admin',
  'stats_config',
  'layered_runtime',
  'default_regex_engine',
  'overload_manager',
]);
/** Fields that ask for nothing that this proxy does otherwise: statistics are read when asked for, RE2 is the only engine. */
const WITHOUT_EFFECT = new Set([
  'stats_flush_interval',
  'stats_flush_on_admin',
  'watchdog',
  'watchdogs',
  'inline_headers',
]);

/** Compile steps that find the faults of resources. */
export interface ResourceChecks {
  cluster(cluster: Cluster): void;
  listener(listener: Listener): void;
}

/** Everything in a bootstrap that cannot be honoured, with its place; nothing is opened. */
export function checkBootstrap(bootstrap: Bootstrap, checks: ResourceChecks): BootstrapFault[] {
  const faults: BootstrapFault[] = [];
  const attempt = (path: FieldPath, step: () => unknown): void => {
    try {
      step();
    } catch (error) {
      faults.push({ path, message: FlotillaError.from(error).message });
    }
  };
  for (const field of BootstrapSchema.fields) {
    if (!isFieldSet(bootstrap, field) || HONOURED.has(field.name) || WITHOUT_EFFECT.has(field.name)) continue;
    faults.push({ path: [field.name], message: 'is not supported' });
  }
  checkAdmin(bootstrap, faults);
  checkRuntime(bootstrap, faults);
  attempt(['stats_config'], () => compileStatsConfig(bootstrap.statsConfig));
  attempt(['overload_manager'], () => maxDownstreamConnections(bootstrap));
  const carriers = controlClusterNames(bootstrap);
  bootstrap.staticResources?.secrets.forEach((secret, index) => {
    attempt(['static_resources', 'secrets', index], () => decodeSecret(secret));
  });
  bootstrap.staticResources?.clusters.forEach((cluster, index) => {
    if (carriers.has(cluster.name)) return;
    attempt(['static_resources', 'clusters', index], () => checks.cluster(cluster));
  });
  const names = new Set<string>();
  bootstrap.staticResources?.listeners.forEach((listener, index) => {
    const path = ['static_resources', 'listeners', index];
    if (listener.name !== '' && names.has(listener.name)) {
      faults.push({ path: [...path, 'name'], message: `"${listener.name}" is given twice` });
    }
    names.add(listener.name);
    attempt(path, () => checks.listener(listener));
  });
  return faults;
}

function checkAdmin({ admin }: Bootstrap, faults: BootstrapFault[]): void {
  if (admin === undefined) return;
  if (admin.accessLog.length > 0) faults.push({ path: ['admin', 'access_log'], message: 'is not supported' });
  // Deprecated; examples of Envoy's own documentation set it to this.
  if (admin.accessLogPath !== '' && admin.accessLogPath !== '/dev/null') {
    faults.push({ path: ['admin', 'access_log_path'], message: 'is not supported' });
  }
  const address = admin.address?.address;
  if (address?.case !== 'socketAddress') {
    faults.push({ path: ['admin', 'address'], message: 'must be a socket_address' });
  }
}

/** The key counts, or asks for nothing that this proxy does otherwise: guards of Envoy's own changes, limits that it lacks. */
function isRuntimeDefault(key: string, value: JsonValue): boolean {
  if (/^envoy\.(reloadable_features|restart_features|deprecated_features|features)[.:]/.test(key)) return true;
  if (key.startsWith('re2.max_program_size.')) return true;
  return key === 'overload.global_downstream_max_connections' && typeof value === 'number';
}

function checkRuntime(bootstrap: Bootstrap, faults: BootstrapFault[]): void {
  const hasDiscovery = bootstrap.dynamicResources !== undefined;
  bootstrap.layeredRuntime?.layers.forEach(({ name, layerSpecifier }, index) => {
    const path = ['layered_runtime', 'layers', index];
    const { case: kind } = layerSpecifier;
    if (kind === 'adminLayer') return;
    if (kind !== 'staticLayer') {
      faults.push({ path, message: `${kind ?? 'an empty layer'} is not supported` });
      return;
    }
    for (const { key, layer, value } of runtimeEntries(bootstrap)) {
      if (layer !== name || isRuntimeDefault(key, value) || (!isEnvoysKey(key) && !hasDiscovery)) continue;
      const reason = isEnvoysKey(key)
        ? 'is not supported: keys that Envoy itself looks up have their default values'
        : 'would not count for what discovery delivers: write the value where the key is named';
      faults.push({ path: [...path, 'static_layer'], message: `"${key}" ${reason}` });
    }
  });
}
