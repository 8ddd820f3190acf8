import type { CanaryOptions } from './options.ts';

export interface RequestCount {
  readonly total: number;
  readonly failed: number;
}

const LABEL = /(?<!\w)(\w+)="((?:[^"\\]|\\.)*)"/g;

/**
 * Requests that callers sent to the service and the old version did not answer, since their proxies started. Requests
 * that reached nobody have no version: they count, and they failed. Throws when a proxy's metrics cannot be read.
 */
export async function countRequests({ metrics, ...service }: CanaryOptions): Promise<RequestCount> {
  const counts = await Promise.all(metrics.map(async (url) => countIn(await read(url), service)));
  return counts.reduce((sum, { total, failed }) => ({ total: sum.total + total, failed: sum.failed + failed }));
}

async function read(url: string): Promise<string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    return await response.text();
  } catch (error) {
    // What fetch throws says why only in its cause.
    const { message, cause } = error as Error;
    throw new Error(`cannot read ${url}: ${cause instanceof Error ? cause.message : message}`, { cause: error });
  }
}

function countIn(text: string, { host, namespace, from }: Omit<CanaryOptions, 'metrics'>): RequestCount {
  let total = 0;
  let failed = 0;
  for (const line of text.split('\n')) {
    const [, labelText, value] = /^istio_requests_total\{(.*)\} (\S+)/.exec(line) ?? [];
    if (labelText === undefined) continue;
    const label = Object.fromEntries([...labelText.matchAll(LABEL)].map(([, name, text]) => [name, text]));
    const isOurs = label['destination_service_name'] === host && label['destination_service_namespace'] === namespace;
    if (!isOurs || label['reporter'] !== 'source' || label['destination_version'] === from) continue;
    total += Number(value);
    // 0: the connection broke before an answer.
    if (Number(label['response_code']) >= 500 || label['response_code'] === '0') failed += Number(value);
  }
  return { total, failed };
}
