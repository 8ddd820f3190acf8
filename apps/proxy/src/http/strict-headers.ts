import type { HeaderList } from '@flotilla/http-codec';
import { ResponseFlag } from '@flotilla/stream';
import type { LocalReply } from '../ports/local-reply.ts';
import { refuse } from '@flotilla/envoy';
import { isRetryWord } from '@flotilla/route';

const isNumber = (value: string): boolean => /^\d{1,10}$/.test(value);
const isWords = (value: string): boolean => value.split(',').every((word) => isRetryWord(word.trim()));

/** Headers that can be checked, and how (Envoy's router filter, `strict_check_headers`). */
const CHECKS: ReadonlyMap<string, (value: string) => boolean> = new Map([
  ['x-envoy-upstream-rq-timeout-ms', isNumber],
  ['x-envoy-upstream-rq-per-try-timeout-ms', isNumber],
  ['x-envoy-max-retries', isNumber],
  ['x-envoy-retry-on', isWords],
  ['x-envoy-retry-grpc-on', isWords],
]);

/** Refuses a request with a header of those that cannot be read; null: it has none. */
export type StrictCheck = (headers: HeaderList) => LocalReply | null;

/** Compiles `strict_check_headers`; null where it names none. Throws `invalid` for one that cannot be checked. */
export function compileStrictCheck(names: readonly string[]): StrictCheck | null {
  const checks = names.map((given, index) => {
    const name = given.toLowerCase();
    return [
      name,
      CHECKS.get(name) ?? refuse(`strict_check_headers[${index}]`, `"${given}" cannot be checked`),
    ] as const;
  });
  if (checks.length === 0) return null;
  return (headers) => {
    for (const [name, isValid] of checks) {
      const value = headers.get(name);
      if (value === undefined || isValid(value)) continue;
      return {
        status: 400,
        body: `invalid header '${name}' with value '${value}'`,
        details: `request_headers_failed_strict_check{${name}}`,
        flags: ResponseFlag.InvalidEnvoyRequestHeaders,
        headers: null,
      };
    }
    return null;
  };
}
