#!/usr/bin/env node
// Starts the command line on the Node that this checkout pins, whatever Node the machine has. Plain JavaScript
// that Node 20 understands.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const PINNED_MAJOR = 26;
const here = dirname(fileURLToPath(import.meta.url));
const main = join(here, '../src/main.ts');

if (Number(process.versions.node.split('.')[0]) >= PINNED_MAJOR) {
  await import(pathToFileURL(main).href);
} else {
  const node = join(here, '../../../node_modules/node/bin/node');
  if (!existsSync(node)) {
    console.error(
      `flotilla: needs Node ${PINNED_MAJOR}, and this is ${process.version}\n  Run "npm ci" in the checkout, which installs it.`,
    );
    process.exit(1);
  }
  const child = spawnSync(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  process.exit(child.status ?? 1);
}
