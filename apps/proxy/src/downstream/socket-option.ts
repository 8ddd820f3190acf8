import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { FlotillaError } from '@flotilla/runtime';

/** `getsockopt`: false when the system refused. `bytes` holds at least `length` bytes. */
export type SocketOption = (descriptor: number, level: number, name: number, bytes: Buffer, length: number) => boolean;

/** The part of koffi that is used. */
export interface Koffi {
  load(library: null): { func(prototype: string): (...args: unknown[]) => unknown };
}

/**
 * Binds `getsockopt` of the C library that this process runs on. Costs 8 MB of memory. Throws `system` when there is
 * no binary for this platform.
 */
export async function openSocketOption(): Promise<SocketOption> {
  const koffi = await loadKoffi();
  const getsockopt = koffi
    .load(null)
    .func('int getsockopt(int descriptor, int level, int name, _Out_ uint8_t *value, _Inout_ uint32_t *length)');
  return (descriptor, level, name, bytes, length) => getsockopt(descriptor, level, name, bytes, [length]) === 0;
}

/** Throws `system`. Bundles have the binary beside them (tools/build/native.ts), under the name of platform, CPU and C library. */
export async function loadKoffi(): Promise<Koffi> {
  const names = ['', '-musl'].map((libc) => `koffi-${process.platform}-${process.arch}${libc}.node`);
  const files = names.map((name) => join(import.meta.dirname, name)).filter((file) => existsSync(file));
  const failures: string[] = [];
  for (const file of files) {
    try {
      // The module is what koffi's own JavaScript exports.
      return createRequire(import.meta.url)(file) as Koffi;
    } catch (error) {
      failures.push(FlotillaError.from(error).message);
    }
  }
  try {
    return (await import('koffi')).default;
  } catch (error) {
    const why = failures[0] ?? FlotillaError.from(error).message;
    throw new FlotillaError('system', `koffi cannot be loaded: ${why}`, {
      cause: error,
      hint: `Put ${names[0] ?? 'its binary'} beside the bundle.`,
    });
  }
}
