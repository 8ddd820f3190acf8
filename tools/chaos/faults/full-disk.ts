import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Fault, partsOf } from './fault.ts';

/** Nothing more fits on the disk. */
export const fullDisk: Fault = async ({ disks }, step) => {
  const ballast = partsOf(disks, step).map((path) => join(path, 'ballast'));
  for (const path of ballast) fill(path);
  return {
    heal: async () => {
      for (const path of ballast) rmSync(path);
    },
  };
};

function fill(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (let bytes = 1 << 20; bytes >= 1; bytes >>= 4) writeUntilFull(file, Buffer.alloc(bytes));
  } finally {
    closeSync(file);
  }
}

function writeUntilFull(file: number, block: Buffer): void {
  try {
    for (;;) writeSync(file, block);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
  }
}
