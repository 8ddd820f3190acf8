import { parseArgs } from 'node:util';

export interface CanaryOptions {
  /** The service, by the name that callers use; also the name of the VirtualService. */
  readonly host: string;
  readonly namespace: string;
  /** Subsets of the service's DestinationRule. */
  readonly from: string;
  readonly to: string;
  /** Percentages for the new version, rising to 100. */
  readonly steps: readonly number[];
  readonly watchMs: number;
  /** Share of failed requests, 0 to 1, above which the shift is taken back. */
  readonly maxErrorRate: number;
  readonly minRequests: number;
  /** Addresses of the callers' proxies where Prometheus finds their metrics. */
  readonly metrics: readonly string[];
}

const USAGE = `Usage: canary --metrics URL [--metrics URL …] [--host reviews] [--namespace default] [--from v1] [--to v3]
              [--steps 10,25,50,100] [--watch 10] [--max-errors 1] [--min-requests 10]
--watch: seconds a step is watched; --max-errors: percent. The mesh: FLOTILLA_API, FLOTILLA_ADMIN_TOKEN, …`;

/** Reads the command line; a text says what is wrong with it. */
export function decodeOptions(args: readonly string[]): CanaryOptions | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        host: { type: 'string', default: 'reviews' },
        namespace: { type: 'string', default: 'default' },
        from: { type: 'string', default: 'v1' },
        to: { type: 'string', default: 'v3' },
        steps: { type: 'string', default: '10,25,50,100' },
        watch: { type: 'string', default: '10' },
        'max-errors': { type: 'string', default: '1' },
        'min-requests': { type: 'string', default: '10' },
        metrics: { type: 'string', multiple: true, default: [] },
      },
    });
    const { host, namespace, from, to, metrics } = values;
    const steps = values.steps.split(',').map((step) => number('steps', step, 1, 100));
    if (steps.some((step, index) => step <= (steps[index - 1] ?? 0)) || steps.at(-1) !== 100) {
      throw new Error(`--steps must rise and end with 100, not ${values.steps}`);
    }
    const unusable = metrics.find((url) => !/^https?:\/\//.test(url));
    if (metrics.length === 0 || unusable !== undefined) {
      throw new Error(
        `--metrics must be a URL of a proxy's metrics${unusable === undefined ? '' : `, not ${unusable}`}`,
      );
    }
    const watchMs = number('watch', values.watch, 0, 86_400) * 1000;
    const maxErrorRate = number('max-errors', values['max-errors'], 0, 100) / 100;
    const minRequests = number('min-requests', values['min-requests'], 1, Number.MAX_SAFE_INTEGER);
    return { host, namespace, from, to, steps, watchMs, maxErrorRate, minRequests, metrics };
  } catch (error) {
    return `canary: ${error instanceof Error ? error.message : String(error)}\n${USAGE}`;
  }
}

function number(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= min && value <= max))
    throw new Error(`--${name} must be ${min} to ${max}, not ${text}`);
  return value;
}
