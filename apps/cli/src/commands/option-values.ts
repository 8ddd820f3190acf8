import { FlotillaError, parseAddress, parseDurationMs, type SocketAddress } from '@flotilla/runtime';

/** The value of an option as a duration in milliseconds. Throws `usage` unless it is a positive duration. */
export function durationOption(option: string, text: string): number {
  const durationMs = asUsage(option, () => parseDurationMs(text));
  if (durationMs <= 0) throw new FlotillaError('usage', `${option} must be longer than nothing, not ${text}`);
  return durationMs;
}

/** The value of an option as an address. Throws `usage`. */
export function addressOption(option: string, text: string): SocketAddress {
  return asUsage(option, () => parseAddress(text));
}

/** The value of an option as a whole number. Throws `usage` for one that is less than the least. */
export function integerOption(option: string, text: string, least: number): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number) && number >= least) return number;
  throw new FlotillaError('usage', `${option} must be a whole number of at least ${least}, not ${text}`);
}

function asUsage<T>(option: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    const { message, hint } = FlotillaError.from(error);
    throw new FlotillaError('usage', `${option}: ${message}`, hint === undefined ? {} : { hint });
  }
}

/** Whether `--allow-plaintext` was given, or its variable says `true`. */
export function allowsPlaintext(
  options: { readonly allowPlaintext?: boolean },
  env: NodeJS.ProcessEnv = process.env,
): boolean {
  return options.allowPlaintext === true || env['FLOTILLA_ALLOW_PLAINTEXT'] === 'true';
}
