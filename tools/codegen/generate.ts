/**
 * Generates libs/wire/gen: Envoy's, xDS's and googleapis' messages from the descriptors in proto/envoy.binpb.br, our own
 * from the .proto files beside them.
 *
 *   node tools/codegen/generate.ts           write libs/wire/gen
 *   node tools/codegen/generate.ts --check   exit 1 when it is out of date, without writing
 *
 * gen/checksums.json holds a digest of every input (descriptors, protos and generator versions) and of every output, so
 * the check needs no generator run: neither side may change without the other.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  CodeGeneratorRequestSchema,
  CodeGeneratorResponseSchema,
  type FileDescriptorProto,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';

const root = resolve(import.meta.dirname, '../..');
const protoDir = join(root, 'proto');
const outputDir = join(root, 'libs/wire/gen');
const checksumFile = join(outputDir, 'checksums.json');
const require = createRequire(join(root, 'package.json'));
/** Room for a descriptor set, and for all code in one answer of the generator. */
const MAX_OUTPUT_BYTES = 1 << 28;

function digest(entries: Iterable<readonly [string, string | Buffer]>): string {
  const hash = createHash('sha256');
  for (const [name, content] of [...entries].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${name}\0`).update(content).update('\0');
  }
  return hash.digest('hex');
}

function inputDigest(): string {
  const versions = ['@bufbuild/buf', '@bufbuild/protoc-gen-es'].map((name) => {
    const manifest = JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')) as {
      version: string;
    };
    return [name, manifest.version] as const;
  });
  const files = globSync('**/*.{proto,br}', { cwd: protoDir });
  return digest([...files.map((path) => [path, readFileSync(join(protoDir, path))] as const), ...versions]);
}

function outputDigest(): string {
  const files = globSync('**/*_pb.{js,d.ts}', { cwd: outputDir });
  return digest(files.map((path) => [path, readFileSync(join(outputDir, path), 'utf8')] as const));
}

/** Our own protos with their comments, and what they import. */
function ownFiles(): readonly FileDescriptorProto[] {
  const buf = join(root, 'node_modules/.bin/buf');
  const image = execFileSync(buf, ['build', protoDir, '-o', '-#format=binpb'], { maxBuffer: MAX_OUTPUT_BYTES });
  return fromBinary(FileDescriptorSetSchema, image).file;
}

function envoyFiles(): readonly FileDescriptorProto[] {
  const packed = readFileSync(join(protoDir, 'envoy.binpb.br'));
  return fromBinary(FileDescriptorSetSchema, brotliDecompressSync(packed)).file;
}

/** Writes the code of all files but those that the runtime of protobuf-es brings; returns how many there are. */
function generate(): number {
  const byName = new Map([...envoyFiles(), ...ownFiles()].map((file) => [file.name, file]));
  const wanted = [...byName.keys()].filter((name) => !name.startsWith('google/protobuf/'));
  const request = create(CodeGeneratorRequestSchema, {
    fileToGenerate: wanted,
    parameter: 'target=js+dts,import_extension=js',
    protoFile: [...byName.values()],
  });
  const plugin = require.resolve('@bufbuild/protoc-gen-es/bin/protoc-gen-es');
  const input = toBinary(CodeGeneratorRequestSchema, request);
  const answer = execFileSync(process.execPath, [plugin], { input, maxBuffer: MAX_OUTPUT_BYTES });
  const response = fromBinary(CodeGeneratorResponseSchema, answer);
  if (response.error !== '') throw new Error(response.error);
  rmSync(outputDir, { recursive: true, force: true });
  for (const { name, content } of response.file) {
    mkdirSync(dirname(join(outputDir, name)), { recursive: true });
    writeFileSync(join(outputDir, name), content);
  }
  return wanted.length;
}

const inputs = inputDigest();
if (process.argv.includes('--check')) {
  const recorded = existsSync(checksumFile)
    ? (JSON.parse(readFileSync(checksumFile, 'utf8')) as { inputs: string; outputs: string })
    : { inputs: '', outputs: '' };
  if (recorded.inputs !== inputs || recorded.outputs !== outputDigest()) {
    console.error('libs/wire/gen is out of date. Run: npm run generate');
    process.exit(1);
  }
} else {
  const files = generate();
  writeFileSync(checksumFile, `${JSON.stringify({ inputs, outputs: outputDigest() }, null, 2)}\n`);
  console.error(`generated libs/wire/gen from ${files} .proto files`);
}
