import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createFileRegistry, type DescFile, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

/** Compiled .proto files with their comments. */
export interface Protos {
  /** By its path below the root. Throws when there is none. */
  file(name: string): DescFile;
  /** The comment above a declaration, "" for none. */
  comment(file: DescFile, path: readonly number[]): string;
}

// Field numbers of google.protobuf.FileDescriptorProto and its parts: how positions in a file are written.
export const PATH = { message: 4, enum: 5, service: 6, method: 2, field: 2, nestedMessage: 3, nestedEnum: 4, value: 2 };

/** Compiles the files of one folder below `root`. Throws what the compiler says. */
export function readProtos(root: string, folder: string): Protos {
  const scratch = mkdtempSync(join(tmpdir(), 'flotilla-docs-'));
  try {
    const output = join(scratch, 'protos.binpb');
    const buf = resolve(root, '../node_modules/.bin/buf');
    execFileSync(buf, ['build', root, '--path', join(root, folder), '-o', output], { stdio: 'inherit' });
    const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(output)));
    return {
      file(name) {
        const found = registry.getFile(name);
        if (found === undefined) throw new Error(`there is no ${name} in ${root}`);
        return found;
      },
      comment(file, path) {
        const wanted = path.join();
        const location = file.proto.sourceCodeInfo?.location.find((one) => one.path.join() === wanted);
        return location?.leadingComments.replaceAll(/\s+/g, ' ').trim() ?? '';
      },
    };
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
