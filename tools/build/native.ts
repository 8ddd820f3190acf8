/** Native modules stay outside of bundles: copies them to where a bundle looks for them, beside itself. */
import { copyFileSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Copies koffi's binaries of this platform into a directory: `koffi-linux-x64.node` for glibc, and
 * `koffi-linux-x64-musl.node` for musl. Returns their names.
 */
export function copyKoffi(root: string, directory: string): string[] {
  const platform = `${process.platform}-${process.arch}`;
  const home = join(root, 'node_modules/@koromix', `koffi-${platform}`);
  if (!existsSync(home)) return [];
  return readdirSync(home, { withFileTypes: true }).flatMap((entry) => {
    const binary = join(home, entry.name, 'koffi.node');
    if (!entry.isDirectory() || !existsSync(binary)) return [];
    const name = `koffi-${platform}${entry.name.startsWith('musl') ? '-musl' : ''}.node`;
    copyFileSync(binary, join(directory, name));
    return [name];
  });
}
