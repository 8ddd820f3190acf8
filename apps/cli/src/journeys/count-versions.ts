import { Agent, request } from 'node:http';

/** Where reviews is called: directly, or through a forward proxy with `path` in absolute form. */
export interface ReviewsTarget {
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

const CONNECTIONS = 8;

/**
 * Calls reviews as productpage does and counts what answered: `v1`, `v2`, `v3`, or `status 503` for anything else.
 * Rejects when a connection fails.
 */
export async function countVersions(target: ReviewsTarget, count: number): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  let left = count;
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      while (left-- > 0) {
        const version = await versionThatAnswers(target, agent);
        counts.set(version, (counts.get(version) ?? 0) + 1);
      }
    }),
  );
  agent.destroy();
  return counts;
}

function versionThatAnswers(target: ReviewsTarget, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ ...target, agent, headers: { host: 'reviews:9080' } }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('end', () =>
        resolve(/"podname":\s*"reviews-(v\d)"/.exec(body)?.[1] ?? `status ${response.statusCode}`),
      );
      response.once('error', reject);
    });
    call.once('error', reject);
    call.end();
  });
}
