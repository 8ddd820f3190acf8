/**
 * Generates libs/wire/gen from .proto files: Envoy's, xDS's and googleapis' from `@grpc/grpc-js-xds`, the
 * validation options from `protoc-gen-validate`, and our own from proto/.
 *
 *   node tools/codegen/generate.ts           write libs/wire/gen
 *   node tools/codegen/generate.ts --check   exit 1 when it is out of date, without writing
 *
 * gen/checksums.json holds a digest of every input (protos and generator versions) and of every output, so
 * the check needs no generator run: neither side may change without the other.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const outputDir = join(root, 'libs/wire/gen');
const checksumFile = join(outputDir, 'checksums.json');
const require = createRequire(join(root, 'package.json'));

interface ProtoRoot {
  readonly dir: string;
  readonly include: RegExp;
  /** Our own comments become documentation; those of others stay with them. */
  readonly isOurs?: boolean;
}

const deps = join(root, 'node_modules/@grpc/grpc-js-xds/deps');
const protoRoots: readonly ProtoRoot[] = [
  {
    dir: join(deps, 'envoy-api'),
    include: /^envoy\/(annotations\/|(admin|config|data|extensions|service|type|watchdog)\/.*v3\/)/,
  },
  { dir: join(deps, 'envoy-api'), include: /^envoy\/type\/(v3|matcher\/v3|metadata\/v3|tracing\/v3|http\/v3)\// },
  { dir: join(deps, 'xds'), include: /^(xds|udpa)\/(?!.*v1alpha)/ },
  {
    dir: join(deps, 'googleapis'),
    include:
      /^google\/(rpc|api)\/(status|code|error_details|annotations|http|expr\/v1alpha1\/(syntax|checked|value|eval))\.proto$/,
  },
  { dir: join(deps, 'googleapis'), include: /^google\/api\/expr\/v1alpha1\/(syntax|checked)\.proto$/ },
  { dir: join(root, 'proto'), include: /^(flotilla|istio|grpc)\/.*\.proto$/, isOurs: true },
];
// protoc-gen-validate publishes its options outside the folder that importers name.
const singleFiles: Readonly<Record<string, string>> = {
  'validate/validate.proto': join(root, 'node_modules/protoc-gen-validate/src/proto/validate.proto'),
};

function collectProtos(): Map<string, string> {
  const found = new Map<string, string>();
  for (const { dir, include, isOurs } of protoRoots) {
    for (const path of globSync('**/*.proto', { cwd: dir })) {
      if (!include.test(path)) continue;
      const text = readFileSync(join(dir, path), 'utf8');
      found.set(path, isOurs === true ? text : withoutComments(text));
    }
  }
  for (const [path, file] of Object.entries(singleFiles)) {
    found.set(path, withoutComments(readFileSync(file, 'utf8')));
  }
  return withoutUnresolved(found);
}

/** Takes comments out of a proto file; string literals may hold what looks like one. */
function withoutComments(text: string): string {
  return text.replace(
    /("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|\/\/[^\n]*|\/\*[^]*?\*\//g,
    (_match, literal: string | undefined) => literal ?? '',
  );
}

/** Leaves out files whose imports nobody has (OpenCensus, OpenTelemetry, Prometheus), and what imports them. */
function withoutUnresolved(protos: Map<string, string>): Map<string, string> {
  for (let dropped = true; dropped;) {
    dropped = false;
    for (const [path, text] of protos) {
      const imports = [...text.matchAll(/^import\s+(?:public\s+|weak\s+)?"([^"]+)"/gm)].map((match) => match[1] ?? '');
      if (imports.every((name) => protos.has(name) || name.startsWith('google/protobuf/'))) continue;
      protos.delete(path);
      dropped = true;
    }
  }
  return protos;
}

function digest(entries: Iterable<readonly [string, string]>): string {
  const hash = createHash('sha256');
  for (const [name, text] of [...entries].sort(([a], [b]) => (a < b ? -1 : 1))) hash.update(`${name}\0${text}\0`);
  return hash.digest('hex');
}

function inputDigest(protos: Map<string, string>): string {
  const versions = ['@bufbuild/buf', '@bufbuild/protoc-gen-es'].map((name) => {
    const manifest = JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')) as {
      version: string;
    };
    return [name, manifest.version] as const;
  });
  return digest([...protos, ...versions]);
}

function outputDigest(): string {
  const files = globSync('**/*_pb.{js,d.ts}', { cwd: outputDir });
  return digest(files.map((path) => [path, readFileSync(join(outputDir, path), 'utf8')] as const));
}

function generate(protos: Map<string, string>): void {
  const work = mkdtempSync(join(tmpdir(), 'flotilla-codegen-'));
  try {
    for (const [path, text] of protos) {
      mkdirSync(dirname(join(work, 'in', path)), { recursive: true });
      writeFileSync(join(work, 'in', path), text);
    }
    writeFileSync(join(work, 'in/buf.yaml'), 'version: v2\n');
    const plugin = require.resolve('@bufbuild/protoc-gen-es/bin/protoc-gen-es');
    writeFileSync(
      join(work, 'buf.gen.yaml'),
      JSON.stringify({
        version: 'v2',
        plugins: [
          { local: [process.execPath, plugin], out: join(work, 'out'), opt: ['target=js+dts', 'import_extension=js'] },
        ],
      }),
    );
    const buf = join(root, 'node_modules/.bin/buf');
    execFileSync(buf, ['generate', join(work, 'in'), '--template', join(work, 'buf.gen.yaml')], { stdio: 'inherit' });
    rmSync(outputDir, { recursive: true, force: true });
    cpSync(join(work, 'out'), outputDir, { recursive: true });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const protos = collectProtos();
const inputs = inputDigest(protos);
if (process.argv.includes('--check')) {
  const recorded = existsSync(checksumFile)
    ? (JSON.parse(readFileSync(checksumFile, 'utf8')) as { inputs: string; outputs: string })
    : { inputs: '', outputs: '' };
  if (recorded.inputs !== inputs || recorded.outputs !== outputDigest()) {
    console.error('libs/wire/gen is out of date. Run: npm run generate');
    process.exit(1);
  }
} else {
  generate(protos);
  writeFileSync(checksumFile, `${JSON.stringify({ inputs, outputs: outputDigest() }, null, 2)}\n`);
  console.error(`generated libs/wire/gen from ${protos.size} .proto files`);
}
