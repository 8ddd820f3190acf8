#!/usr/bin/env node
// Starts the command line on the Node that this checkout pins, whatever Node the machine has: the bundle when it is
// as new as its sources, the TypeScript otherwise. Plain JavaScript that Node 20 understands.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isBundleFresh } from './bundle-freshness.js';

const PINNED_MAJOR = 26;
const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');

if (Number(process.versions.node.split('.')[0]) >= PINNED_MAJOR) {
  // Saves every process but the first the compilation of what it loads, a fifth of a sidecar's start.
  nodeModule.enableCompileCache?.(join(root, 'dist/compile-cache'));
  const main = isBundleFresh(root) ? join(root, 'dist/flotilla.mjs') : join(root, 'apps/cli/src/main.ts');
  await import(pathToFileURL(main).href);
} else {
  const node = join(root, 'node_modules/node/bin/node');
  if (!existsSync(node)) {
    console.error(`flotilla: needs Node ${PINNED_MAJOR}, and this is ${process.version}`);
    console.error('  Run "npm ci" in the checkout, which installs it.');
    process.exit(1);
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.once('exit', (code) => process.exit(code ?? 1));
  child.once('error', (error) => {
    console.error(`flotilla: cannot start ${node}: ${error.message}`);
    process.exit(1);
  });
}
