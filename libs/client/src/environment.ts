import { readFileSync } from 'node:fs';
import { FlotillaError } from '@flotilla/runtime';
import { readSecretFile } from '@flotilla/runtime/disk';
import type { MeshOptions } from './servers.ts';

/**
 * What the environment says of the mesh: `FLOTILLA_API`, `FLOTILLA_PILOT_API` (comma separated), `FLOTILLA_CITADEL_API`,
 * `FLOTILLA_CA_ROOTS` (a file), `FLOTILLA_TRUST_DOMAIN`, `FLOTILLA_ALLOW_PLAINTEXT` (`true`), and `FLOTILLA_ADMIN_TOKEN`
 * or `FLOTILLA_ADMIN_TOKEN_FILE`. What is not set is not in the answer. Throws `usage` for a file that cannot be read.
 */
export function environmentOptions(env: NodeJS.ProcessEnv = process.env): Partial<MeshOptions> {
  const pilots = (env['FLOTILLA_PILOT_API'] ?? '').split(',').map((url) => url.trim());
  const rootsFile = env['FLOTILLA_CA_ROOTS'];
  const tokenFile = env['FLOTILLA_ADMIN_TOKEN_FILE'];
  return withoutEmpty<MeshOptions>({
    api: env['FLOTILLA_API'],
    pilots: pilots.filter((url) => url !== ''),
    citadel: env['FLOTILLA_CITADEL_API'],
    trustDomain: env['FLOTILLA_TRUST_DOMAIN'],
    allowPlaintext: env['FLOTILLA_ALLOW_PLAINTEXT'] === 'true' ? true : undefined,
    rootsPem: rootsFile ? readSetting('FLOTILLA_CA_ROOTS', rootsFile) : undefined,
    token:
      env['FLOTILLA_ADMIN_TOKEN'] ||
      (tokenFile ? readSetting('FLOTILLA_ADMIN_TOKEN_FILE', tokenFile, readSecretFile).trim() : ''),
  });
}

/** The text of a file that a setting names. Throws `usage` when it cannot be read, or not by `read`. */
export function readSetting(setting: string, path: string, read: (path: string) => string = readText): string {
  try {
    return read(path);
  } catch (error) {
    const { message, hint = 'It names a file to read.' } = FlotillaError.from(error);
    throw new FlotillaError('usage', `${setting}: ${message}`, { cause: error, hint });
  }
}

const readText = (path: string): string => readFileSync(path, 'utf8');

type Optional<T> = { readonly [Key in keyof T]?: T[Key] | undefined };

function withoutEmpty<T extends object>(values: Optional<T>): Partial<T> {
  const isSet = ([, value]: readonly [string, unknown]) => value !== undefined && value !== '';
  // The same keys and values, fewer of them.
  return Object.fromEntries(Object.entries(values).filter(isSet)) as Partial<T>;
}
