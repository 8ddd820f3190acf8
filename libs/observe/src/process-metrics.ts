import type { Meter } from '@opentelemetry/api';

/** Memory, CPU time and start of this process, by the names that Prometheus's client libraries give them. */
export function observeProcess(meter: Meter): void {
  const startedSeconds = Date.now() / 1000 - process.uptime();
  meter
    .createObservableGauge('process_resident_memory_bytes', { description: 'Resident memory in bytes.' })
    .addCallback((result) => result.observe(process.memoryUsage.rss()));
  meter
    .createObservableGauge('process_start_time_seconds', {
      description: 'Start of the process, seconds since the epoch.',
    })
    .addCallback((result) => result.observe(startedSeconds));
  meter
    .createObservableCounter('process_cpu_seconds_total', { description: 'User and system CPU time, in seconds.' })
    .addCallback((result) => {
      const { user, system } = process.cpuUsage();
      result.observe((user + system) / 1e6);
    });
}

/** Lines that the log of this process could not take, because its disk is full or nobody reads it. */
export function observeLostLines(meter: Meter, lines: () => number): void {
  meter
    .createObservableCounter('flotilla_log_lines_lost_total', { description: 'Lines that the log could not take.' })
    .addCallback((result) => result.observe(lines()));
}
