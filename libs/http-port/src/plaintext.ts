import { FlotillaError, formatAddress, type SocketAddress } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';

/** Whether only this machine can reach it: 127.0.0.0/8, `::1`, `localhost`. Every other name is taken for not. */
export function isLoopbackHost(host: string): boolean {
  return /^(?:(?:::ffff:)?127(?:\.\d{1,3}){3}|::1|localhost)$/i.test(host);
}

/**
 * Plaintext that carries configuration or tokens, or changes things, stays on this machine unless that is asked for by
 * name; then it is said at every start. Throws `usage`.
 */
export function checkPlaintext(options: {
  /** Such as `the API`. */
  readonly what: string;
  readonly address: SocketAddress;
  /** The user's word for it. */
  readonly isAllowed: boolean;
  readonly logger: Pick<Logger, 'warn'>;
}): void {
  const { what, address, isAllowed, logger } = options;
  if (isLoopbackHost(address.host)) return;
  const where = formatAddress(address);
  if (!isAllowed) {
    throw new FlotillaError('usage', `${what} at ${where} would be open to the network, without TLS`, {
      hint: `Listen on 127.0.0.1, or say --${PLAINTEXT_FLAG} (FLOTILLA_ALLOW_PLAINTEXT=true) if that is meant.`,
    });
  }
  logger.warn(
    `${what} at ${where} is open to the network, without TLS: anybody there can read it, and what is sent to it`,
  );
}

/** The flag that allows it, of every program. */
export const PLAINTEXT_FLAG = 'allow-plaintext';
