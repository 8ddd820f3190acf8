import type { Telemetry } from '@flotilla/observe';

/** What galley counts about writes. */
export interface GalleyMetrics {
  /** A write that made a new version of so many changes. */
  committed(changes: number): void;
}

export const noMetrics: GalleyMetrics = { committed() {} };

export function galleyMetrics(
  meter: Telemetry['meter'],
  gauges: { version(): number; resources(): number; errors(): number },
): GalleyMetrics {
  const commits = meter.createCounter('galley_commits', { description: 'Versions that this galley made.' });
  const changes = meter.createCounter('galley_changes', { description: 'Resources that its versions changed.' });
  const gauge = (name: string, description: string, read: () => number) =>
    meter.createObservableGauge(name, { description }).addCallback((result) => result.observe(read()));
  gauge('galley_config_version', 'Version of the mesh configuration.', gauges.version);
  gauge('galley_resources', 'Resources of the mesh configuration.', gauges.resources);
  gauge('galley_findings', 'Errors in watched files and between resources.', gauges.errors);
  return {
    committed(count) {
      commits.add(1);
      changes.add(count);
    },
  };
}
