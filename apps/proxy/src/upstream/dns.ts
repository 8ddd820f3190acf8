import { promises } from 'node:dns';
import { isIP } from 'node:net';
import { Backoff, type Clock, type Random, type Timer } from '@flotilla/runtime';
import type { AddressFamily, DnsSettings } from './dns-settings.ts';

export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}

/** Looks a name up, all families. Rejects when there is no such name or no answer. */
export type Lookup = (hostname: string) => Promise<readonly ResolvedAddress[]>;

/** The system's resolver, `/etc/hosts` included. */
export const systemLookup: Lookup = (hostname) => promises.lookup(hostname, { all: true, order: 'verbatim' });

export interface NameWatch {
  close(): void;
}

/**
 * Resolves a name again and again. `onAddresses` gets each answer; a failed look-up leaves the last answer standing
 * (`onFailure` tells), except that the first one tells of an empty answer, so that nobody waits for it.
 */
export function watchName(
  hostname: string,
  settings: DnsSettings,
  tools: { readonly lookup: Lookup; readonly clock: Clock; readonly random: Random },
  onAddresses: (addresses: readonly string[]) => void,
  onFailure: (error: unknown) => void,
): NameWatch {
  let isClosed = false;
  let hasAnswered = false;
  let timer: Timer | null = null;
  const backoff = new Backoff({ baseMs: settings.failureBaseMs, maxMs: settings.failureMaxMs }, tools.random);

  async function resolve(): Promise<void> {
    timer = null;
    let delayMs = settings.refreshMs;
    try {
      const addresses = chooseFamily(await tools.lookup(hostname), settings.family);
      if (isClosed) return;
      hasAnswered = true;
      backoff.reset();
      onAddresses(settings.takesAll ? addresses : addresses.slice(0, 1));
    } catch (error) {
      if (isClosed) return;
      delayMs = backoff.nextMs();
      onFailure(error);
      if (!hasAnswered) onAddresses([]);
      hasAnswered = true;
    }
    timer = tools.clock.after(delayMs, () => void resolve());
  }

  if (isIP(hostname) === 0) void resolve();
  else onAddresses([hostname]);
  return {
    close() {
      isClosed = true;
      timer?.cancel();
    },
  };
}

function chooseFamily(found: readonly ResolvedAddress[], family: AddressFamily): string[] {
  const v4 = found.filter((each) => each.family === 4).map((each) => each.address);
  const v6 = found.filter((each) => each.family === 6).map((each) => each.address);
  switch (family) {
    case 'v4':
      return v4;
    case 'v6':
      return v6;
    case 'prefer-v4':
      return v4.length > 0 ? v4 : v6;
    case 'prefer-v6':
      return v6.length > 0 ? v6 : v4;
    case 'all':
      return found.map((each) => each.address);
  }
}
