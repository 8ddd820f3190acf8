/**
 * Bundles the command line with every service into dist/flotilla.mjs and the pieces beside it, and each service by
 * itself, for images, into dist/services, Bookinfo's among them. What is loaded by `import()` is a piece of its own for
 * whoever counts its memory: the text of a program that is never run would stay in it, 8 MB of a sidecar's.
 *
 *   node tools/build/bundle.ts              build
 *   node tools/build/bundle.ts --if-stale   build unless the bundle is as new as its sources
 *
 * dist/inputs.json lists every source with its size and time of change: `flotilla` runs the bundle as long as none
 * of them differs, and the TypeScript otherwise. Against the sources the bundle halves a sidecar's start and takes
 * about 40 MB off its memory.
 */
import { build, type BuildOptions, type BuildResult, type Plugin } from 'esbuild';
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
// @ts-expect-error plain JavaScript, because Node 20 runs it too
import { isBundleFresh } from '../../apps/cli/bin/bundle-freshness.js';
import { copyKoffi } from './native.ts';

const root = resolve(import.meta.dirname, '../..');
const output = join(root, 'dist');

// Some dependencies are CommonJS and call require for Node's own modules.
const REQUIRE =
  "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);";

const PIECES = 'piece-[name]-[hash]';
const KEEP_MS = 24 * 3_600_000;

/**
 * `import` of node:http reads all that it exports, among it what makes Node load undici: 3 MB of a sidecar's memory. Asked
 * for this way, it is the module and nothing else.
 */
const httpWithoutFetch: Plugin = {
  name: 'http-without-fetch',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(node:)?http$/ }, ({ kind }) =>
      // Whoever imports it late takes its names apart, which a piece of CommonJS has not.
      kind === 'dynamic-import' ? { path: 'node:http', external: true } : { path: 'http', namespace: 'builtin' },
    );
    onLoad({ filter: /.*/, namespace: 'builtin' }, () => ({
      contents: "module.exports = process.getBuiltinModule('node:http');",
    }));
  },
};

if (process.argv.includes('--if-stale') && isBundleFresh(root)) process.exit(0);

const services = join(output, 'services');
const common: BuildOptions = {
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node26',
  minifySyntax: true,
  minifyWhitespace: true,
  keepNames: true,
  legalComments: 'none',
  banner: { js: REQUIRE },
  // A native module, which lies beside the bundle.
  external: ['koffi'],
  plugins: [httpWithoutFetch],
  absWorkingDir: root,
  metafile: true,
  logLevel: 'warning',
};
const source = (path: string): string => join(root, path);
const built: BuildResult[] = await Promise.all([
  build({
    ...common,
    entryPoints: {
      flotilla: source('apps/cli/src/main.ts'),
      'proxy-worker': source('apps/proxy/src/process/worker-main.ts'),
      'galley-check-worker': source('apps/galley/src/check/worker-main.ts'),
    },
    outdir: output,
    chunkNames: PIECES,
    splitting: true,
  }),
  build({
    ...common,
    entryPoints: {
      proxy: source('apps/proxy/src/main.ts'),
      'proxy-worker': source('apps/proxy/src/process/worker-main.ts'),
    },
    outdir: join(services, 'proxy'),
    chunkNames: PIECES,
    splitting: true,
  }),
  build({
    ...common,
    entryPoints: {
      'bookinfo/productpage': source('examples/bookinfo/src/productpage.ts'),
      'bookinfo/details': source('examples/bookinfo/src/details.ts'),
      'bookinfo/reviews': source('examples/bookinfo/src/reviews.ts'),
      'bookinfo/ratings': source('examples/bookinfo/src/ratings.ts'),
      citadel: source('apps/citadel/src/main.ts'),
      galley: source('apps/galley/src/main.ts'),
      'galley-check-worker': source('apps/galley/src/check/worker-main.ts'),
      pilot: source('apps/pilot/src/main.ts'),
      capture: source('apps/proxy/src/capture/main.ts'),
    },
    outdir: services,
  }),
]);

for (const directory of [output, join(services, 'proxy')]) {
  copyKoffi(root, directory);
  removeOldPieces(directory);
}

/** Pieces of earlier builds, but for those that a program which runs may still load. */
function removeOldPieces(directory: string): void {
  const written = new Set(built.flatMap(({ metafile }) => Object.keys(metafile?.outputs ?? {})));
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    const isPiece = name.startsWith('piece-') && !written.has(relative(root, path));
    if (isPiece && Date.now() - statSync(path).mtimeMs > KEEP_MS) rmSync(path);
  }
}

const inputs = [...new Set(built.flatMap(({ metafile }) => Object.keys(metafile?.inputs ?? {})))]
  .filter((path) => !path.startsWith('node_modules/') && !path.includes(':'))
  .map((path) => {
    const { size, mtimeMs } = statSync(join(root, path));
    return [path, size, mtimeMs] as const;
  });
writeFileSync(join(output, 'inputs.json'), `${JSON.stringify(inputs)}\n`);
