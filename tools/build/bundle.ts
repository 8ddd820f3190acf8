/**
 * Bundles the command line with every service into dist/flotilla.mjs, one file, and the proxy's worker into
 * dist/proxy-worker.mjs; each service by itself, for images, into dist/services, Bookinfo's among them. What is loaded by
 * `import()` stays lazy inside the file.
 *
 *   node tools/build/bundle.ts              build
 *   node tools/build/bundle.ts --if-stale   build unless the bundle is as new as its sources
 *
 * dist/inputs.json lists every source with its size and time of change: `flotilla` runs the bundle as long as none
 * of them differs, and the TypeScript otherwise. Against the sources the bundle halves a sidecar's start and takes
 * about 40 MB off its memory.
 */
import { build, type Plugin } from 'esbuild';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
// @ts-expect-error plain JavaScript, because Node 20 runs it too
import { isBundleFresh } from '../../apps/cli/bin/bundle-freshness.js';
import { copyKoffi } from './native.ts';

const root = resolve(import.meta.dirname, '../..');
const output = join(root, 'dist');

// Some dependencies are CommonJS and call require for Node's own modules.
const REQUIRE =
  "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);";

/**
 * `import` of node:http reads all that it exports, among it what makes Node load undici: 3 MB of a sidecar's memory. Asked
 * for this way, it is the module and nothing else.
 */
const httpWithoutFetch: Plugin = {
  name: 'http-without-fetch',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(node:)?http$/ }, () => ({ path: 'http', namespace: 'builtin' }));
    onLoad({ filter: /.*/, namespace: 'builtin' }, () => ({
      contents: "module.exports = process.getBuiltinModule('node:http');",
    }));
  },
};

if (process.argv.includes('--if-stale') && isBundleFresh(root)) process.exit(0);

const services = join(output, 'services');
mkdirSync(services, { recursive: true });
const { metafile } = await build({
  entryPoints: {
    flotilla: join(root, 'apps/cli/src/main.ts'),
    'proxy-worker': join(root, 'apps/proxy/src/worker-main.ts'),
    'services/bookinfo/productpage': join(root, 'examples/bookinfo/src/productpage.ts'),
    'services/bookinfo/details': join(root, 'examples/bookinfo/src/details.ts'),
    'services/bookinfo/reviews': join(root, 'examples/bookinfo/src/reviews.ts'),
    'services/bookinfo/ratings': join(root, 'examples/bookinfo/src/ratings.ts'),
    'services/citadel': join(root, 'apps/citadel/src/main.ts'),
    'services/galley': join(root, 'apps/galley/src/main.ts'),
    'services/pilot': join(root, 'apps/pilot/src/main.ts'),
    'services/proxy': join(root, 'apps/proxy/src/main.ts'),
    'services/proxy-worker': join(root, 'apps/proxy/src/worker-main.ts'),
    'services/capture': join(root, 'apps/proxy/src/capture/main.ts'),
  },
  outdir: output,
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
});

for (const directory of [output, services]) copyKoffi(root, directory);

const inputs = Object.keys(metafile.inputs)
  .filter((path) => !path.startsWith('node_modules/') && !path.includes(':'))
  .map((path) => {
    const { size, mtimeMs } = statSync(join(root, path));
    return [path, size, mtimeMs] as const;
  });
writeFileSync(join(output, 'inputs.json'), `${JSON.stringify(inputs)}\n`);
