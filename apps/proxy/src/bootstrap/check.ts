import type { JsonValue } from '@bufbuild/protobuf';
import { FlotillaError } from '@flotilla/runtime';
import { type Bootstrap, BootstrapSchema } from '@flotilla/wire/envoy/config/bootstrap/v3/bootstrap_pb.js';
import type { Cluster } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import type { Listener } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import { FileAccessLogSchema } from '@flotilla/wire/envoy/extensions/access_loggers/file/v3/file_pb.js';
import { controlClusterNames } from '../config/control-connections.ts';
import { decodeSecret } from '../identity/decode-secret.ts';
import { compileStatsConfig } from '../base/stats-config.ts';
import { type FieldPath, unpackValid, unsupportedIn } from '@flotilla/envoy';
import { checkDnsResolver } from '../upstream/dns-settings.ts';
import { downstreamConnectionLimit } from './overload.ts';
import { isEnvoysKey, runtimeEntries } from './runtime.ts';

export interface BootstrapFault {
  readonly path: FieldPath;
  readonly message: string;
}

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
  for (const { path, reason } of unsupportedIn(BootstrapSchema, bootstrap)) faults.push({ path, message: reason });
  checkAdmin(bootstrap, faults);
  checkRuntime(bootstrap, faults);
  attempt(['stats_config'], () => compileStatsConfig(bootstrap.statsConfig));
  attempt(['typed_dns_resolver_config'], () => checkDnsResolver(bootstrap.typedDnsResolverConfig));
  attempt(['overload_manager'], () => downstreamConnectionLimit(bootstrap));
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
  admin.accessLog.forEach(({ configType }, index) => {
    const any = configType.value;
    if (any !== undefined && unpackValid(any, FileAccessLogSchema)?.path === '/dev/null') return;
    faults.push({ path: ['admin', 'access_log', index], message: 'is not supported, unless it goes to /dev/null' });
  });
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
    if (kind === undefined) faults.push({ path, message: 'an empty layer is not supported' });
    if (kind !== 'staticLayer') return;
    for (const { key, layer, value } of runtimeEntries(bootstrap)) {
      if (layer !== name || isRuntimeDefault(key, value) || (!isEnvoysKey(key) && !hasDiscovery)) continue;
      const reason = isEnvoysKey(key)
        ? 'is not supported: keys that Envoy itself looks up have their default values'
        : 'would not count for what discovery delivers: write the value where the key is named';
      faults.push({ path: [...path, 'static_layer'], message: `"${key}" ${reason}` });
    }
  });
}
