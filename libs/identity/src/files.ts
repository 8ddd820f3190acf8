import { readFileSync } from 'node:fs';
import { type Clock, FlotillaError, type Timer } from '@flotilla/runtime';
import { readSecretFile } from '@flotilla/runtime/disk';
import type { Logger } from '@flotilla/observe';
import { formatSpiffeId, type IdentitySource, workloadCertificate, type WorkloadCertificate } from '@flotilla/spiffe';

export interface FileIdentityOptions {
  /** PEM: the leaf, then intermediates. */
  readonly certificateFile: string;
  /** PEM, PKCS#8. */
  readonly keyFile: string;
  /** The widest mode that the file of the key may have. Default: its owner's alone. */
  readonly widestKeyMode?: number;
  /** PEM: the roots that peers are verified with. */
  readonly rootsFile: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

// Whoever renews the files does it long before they expire; and platforms swap them by links, which no watch sees well.
const LOOK_EVERY_MS = 5_000;

/**
 * The identity that somebody else keeps in files. They are read again every few seconds, and a change is taken when
 * all three fit together; until then the last good certificate stays. Throws `system` when a file cannot be read at
 * the start, `invalid` when others can read the key, they do not fit together, or the certificate has expired.
 */
export function openFileIdentity(options: FileIdentityOptions): IdentitySource {
  const { clock, logger } = options;
  const listeners = new Set<(certificate: WorkloadCertificate) => void>();
  let current = read(options);
  let complaint = '';
  let timer: Timer;
  const look = (): void => {
    timer = clock.after(LOOK_EVERY_MS, look);
    let next: WorkloadCertificate;
    try {
      next = read(options);
    } catch (error) {
      const { message } = FlotillaError.from(error);
      if (message !== complaint)
        logger.warn('the certificate files cannot be used, the last good ones stay', { why: message });
      complaint = message;
      return;
    }
    complaint = '';
    if (isSame(next, current)) return;
    current = next;
    logger.info('new certificate', { spiffeId: formatSpiffeId(next.spiffeId), serial: next.serial });
    for (const listener of [...listeners]) listener(next);
  };
  timer = clock.after(LOOK_EVERY_MS, look);
  return {
    current: () => current,
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close() {
      timer.cancel();
      listeners.clear();
    },
  };
}

function read(options: FileIdentityOptions): WorkloadCertificate {
  const { certificateFile, keyFile, rootsFile, widestKeyMode, clock } = options;
  const certificate = workloadCertificate({
    chainPem: readText(certificateFile),
    privateKeyPem: readSecretFile(keyFile, widestKeyMode === undefined ? {} : { widestMode: widestKeyMode }),
    rootsPem: readText(rootsFile),
  });
  if (certificate.notAfterMs <= clock.now()) {
    throw new FlotillaError(
      'invalid',
      `the certificate in ${certificateFile} expired on ${new Date(certificate.notAfterMs).toISOString()}`,
      { hint: 'Renew it; and compare the clock of this machine with that of its issuer.' },
    );
  }
  return certificate;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new FlotillaError('system', `cannot read ${file}: ${FlotillaError.from(error).message}`, { cause: error });
  }
}

function isSame(a: WorkloadCertificate, b: WorkloadCertificate): boolean {
  return a.chainPem === b.chainPem && a.privateKeyPem === b.privateKeyPem && a.rootsPem === b.rootsPem;
}
