import { setTimeout as delay } from 'node:timers/promises';
import { get } from 'node:http';

/** GET; status 0 when nobody answers. */
export function fetchText(url: string): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: 2_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    request.on('timeout', () => request.destroy());
    request.on('error', (error) => resolve({ status: 0, text: error.message }));
  });
}

export async function isReady(statusUrl: string): Promise<boolean> {
  return (await fetchText(`${statusUrl}/readyz`)).status === 200;
}

const POLL_MS = 50;

/** Resolves when `probe` holds; rejects, saying `what` did not and what it threw last, when it does not in time. */
export async function until(what: string, probe: () => Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  let thrown: unknown;
  const holds = async (): Promise<boolean> => {
    try {
      return await probe();
    } catch (error) {
      thrown = error;
      return false;
    }
  };
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`${what}: not within ${timeoutMs} ms`, { cause: thrown });
    await delay(POLL_MS);
  }
}
