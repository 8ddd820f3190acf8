import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createTestAuthority } from '@flotilla/spiffe/testing';

/** A certificate with its key and the root to trust, PEM. */
export interface NamedCertificate {
  readonly chainPem: string;
  readonly privateKeyPem: string;
  readonly rootPem: string;
}

export type Certificates = ReadonlyMap<string, NamedCertificate>;

const NAMES: Readonly<Record<string, { readonly dns: readonly string[]; readonly isForeign?: boolean }>> = {
  web: { dns: ['web.test'] },
  api: { dns: ['api.test'] },
  wild: { dns: ['*.wild.test'] },
  upstream: { dns: ['upstream.test'] },
  client: { dns: ['client.test'] },
  stranger: { dns: ['web.test'], isForeign: true },
};

/**
 * Makes the certificates that scenarios name, each with the URI `spiffe://cluster.local/ns/default/sa/<name>`, and writes
 * them to a folder: `<name>.crt`, `<name>.key`, and the roots `root.crt` and `foreign.crt`.
 */
export async function makeCertificates(folder: string): Promise<Certificates> {
  const [own, foreign] = await Promise.all([createTestAuthority('root'), createTestAuthority('foreign')]);
  const made = new Map<string, NamedCertificate>();
  for (const [name, { dns, isForeign }] of Object.entries(NAMES)) {
    const authority = isForeign === true ? foreign : own;
    const id = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: name };
    const { chainPem, privateKeyPem } = await authority.issue(id, { dnsNames: dns });
    made.set(name, { chainPem, privateKeyPem, rootPem: authority.rootPem });
    await writeFile(join(folder, `${name}.crt`), chainPem);
    await writeFile(join(folder, `${name}.key`), privateKeyPem);
  }
  await writeFile(join(folder, 'root.crt'), own.rootPem);
  await writeFile(join(folder, 'foreign.crt'), foreign.rootPem);
  return made;
}
