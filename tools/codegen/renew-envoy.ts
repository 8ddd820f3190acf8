/**
 * Renews proto/envoy.binpb.br, the descriptors of Envoy's API, from the Go module of Envoy's go-control-plane that
 * tools/codegen/envoy/go.mod names. Needs Go and two minutes; nothing else of the project does.
 *
 *   node tools/codegen/renew-envoy.ts
 *
 * For another release of Envoy first run `go get github.com/envoyproxy/go-control-plane/envoy@vX.Y.Z` in that folder;
 * afterwards run `npm run generate`.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';

const root = resolve(import.meta.dirname, '../..');
const program = join(import.meta.dirname, 'envoy');
const MODULES = ['github.com/envoyproxy/go-control-plane/envoy/...', 'github.com/cncf/xds/go/...'];
/** Of those modules; the older API and drafts are left out. */
const WANTED = /\/(?:annotations(?:\/v3)?|v3|udpa\/type\/v1)$/;
/** They stand in an `Any` or in options of a service, without being imported. */
const FURTHER = [
  'google.golang.org/genproto/googleapis/rpc/code',
  'google.golang.org/genproto/googleapis/rpc/errdetails',
  'google.golang.org/genproto/googleapis/api/annotations',
];

const work = mkdtempSync(join(tmpdir(), 'flotilla-envoy-'));
try {
  cpSync(program, work, { recursive: true });
  const go = (...args: string[]) =>
    execFileSync('go', args, { cwd: work, maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'inherit'] });
  // Packages that the module has and go.sum does not cover are of no concern: `-e`.
  const listed = go('list', '-e', '-f', '{{.ImportPath}}', ...MODULES)
    .toString()
    .split('\n');
  const packages = [...listed.filter((path) => WANTED.test(path)), ...FURTHER];
  const imports = packages.map((path) => `\t_ "${path}"\n`).join('');
  writeFileSync(join(work, 'imports.go'), `package main\n\nimport (\n${imports})\n`);
  const descriptors = go('run', '.');
  const packed = brotliCompressSync(descriptors, {
    params: { [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS },
  });
  writeFileSync(join(root, 'proto/envoy.binpb.br'), packed);
  console.error(`wrote proto/envoy.binpb.br from ${packages.length} packages`);
} finally {
  rmSync(work, { recursive: true, force: true });
}
