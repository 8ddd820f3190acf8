import type { Telemetry } from '@flotilla/observe';
import type { XdsShortName } from '@flotilla/xds';

/** Pilot's metrics, by Istio's names. */
export interface PilotMetrics {
  pushed(type: XdsShortName, bytes: number): void;
  rejected(type: XdsShortName): void;
  /** A stream was refused or cut for what it asked too much of. */
  cut(): void;
  /** Time from a change's arrival until the last affected proxy was sent it. */
  converged(durationMs: number): void;
}

export const noMetrics: PilotMetrics = { pushed() {}, rejected() {}, cut() {}, converged() {} };

export interface Gauges {
  services(): number;
  proxies(): number;
  virtualServices(): number;
  version(): number;
  withheld(): number;
}

export function pilotMetrics(meter: Telemetry['meter'], gauges: Gauges): PilotMetrics {
  const pushes = meter.createCounter('pilot_xds_pushes', { description: 'xDS responses sent, by type.' });
  const size = meter.createHistogram('pilot_xds_config_size_bytes', {
    description: 'Size of xDS responses.',
    advice: { explicitBucketBoundaries: [1e3, 1e4, 1e5, 1e6, 4e6, 1e7, 4e7] },
  });
  const rejects = meter.createCounter('pilot_total_xds_rejects', {
    description: 'xDS responses that a proxy refused.',
  });
  const cuts = meter.createCounter('pilot_xds_streams_cut', {
    description: 'Streams refused or ended because they went past a limit.',
  });
  const convergence = meter.createHistogram('pilot_proxy_convergence_time', {
    description: "Seconds from a change's arrival until every affected proxy was sent it.",
    advice: { explicitBucketBoundaries: [0.01, 0.05, 0.1, 0.5, 1, 3, 5, 10, 20, 30] },
  });
  const gauge = (name: string, description: string, read: () => number) =>
    meter.createObservableGauge(name, { description }).addCallback((result) => result.observe(read()));
  gauge('pilot_services', 'Services known to pilot.', gauges.services);
  gauge('pilot_xds', 'Proxies connected to this pilot.', gauges.proxies);
  gauge('pilot_virt_services', 'VirtualServices known to pilot.', gauges.virtualServices);
  gauge(
    'pilot_withheld_resources',
    'Resources that some kind of data plane refuses and does not get.',
    gauges.withheld,
  );
  gauge('pilot_config_version', 'Version of the mesh configuration.', gauges.version);
  return {
    pushed(type, bytes) {
      pushes.add(1, { type: type.toLowerCase() });
      size.record(bytes, { type: type.toLowerCase() });
    },
    rejected: (type) => rejects.add(1, { type: type.toLowerCase() }),
    cut: () => cuts.add(1),
    converged: (durationMs) => convergence.record(durationMs / 1000),
  };
}
