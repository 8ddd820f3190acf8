/** What of a run must differ between two proxies. */
export interface Incidentals {
  readonly prefix: string;
  readonly listenerPort: number;
  readonly upstreamPorts: ReadonlyMap<string, number>;
  readonly exactClose: boolean;
}

/** Takes out of a text what must differ: dates, ids, ports, durations, the scenario's prefix. */
export function normalise(text: string, run: Incidentals): string {
  let shown = text.replaceAll(`${run.prefix}-`, '').replaceAll(run.prefix, 'it');
  shown = shown.replace(new RegExp(`\\b${run.listenerPort}\\b`, 'g'), '<port>');
  for (const [name, port] of run.upstreamPorts) {
    if (port > 0) shown = shown.replace(new RegExp(`\\b${port}\\b`, 'g'), `<port of ${name}>`);
  }
  shown = shown
    .replace(/127\.0\.0\.1:\d{4,5}/g, '127.0.0.1:<some port>')
    .replace(/^(date: ).*$/gim, '$1<date>')
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '<uuid $1>')
    .replace(/^(x-envoy-upstream-service-time: )\d+$/gim, '$1<ms>')
    // What is left of a time-out at a retry.
    .replace(/^(x-envoy-expected-rq-timeout-ms: )(\d{4,})$/gim, (_all, name: string, ms: string) => {
      return name + String(Math.ceil(Number(ms) / 1000) * 1000);
    });
  return run.exactClose ? shown : shown.replace(/\[reset\]$/gm, '[closed]');
}
