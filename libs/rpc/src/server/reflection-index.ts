import type { AnyDesc, DescExtension, DescFile, DescMessage } from '@bufbuild/protobuf';
import { nestedTypes } from '@bufbuild/protobuf/reflect';

/** What reflection can look up: the files of some services, and everything that they import. */
export interface ReflectionIndex {
  /** By the path that other files import it by. */
  fileByName(name: string): DescFile | undefined;
  /** By the full name of a message, field, oneof, enum, enum value, extension, service or method. */
  fileOfSymbol(name: string): DescFile | undefined;
  fileOfExtension(containingType: string, extensionNumber: number): DescFile | undefined;
  /** Numbers of the known extensions of a message, rising; undefined when the message is not known. */
  extensionNumbers(typeName: string): readonly number[] | undefined;
}

export function indexFiles(roots: readonly DescFile[]): ReflectionIndex {
  const files = new Map<string, DescFile>();
  for (const root of roots) for (const file of withImports(root)) files.set(fileName(file), file);
  const symbols = new Map<string, DescFile>();
  const extensions = new Map<string, Map<number, DescFile>>();
  for (const file of files.values()) {
    for (const desc of nestedTypes(file)) {
      for (const name of namesIn(desc)) symbols.set(name, file);
      if (desc.kind === 'extension') register(extensions, desc, file);
      if (desc.kind === 'message') extensions.set(desc.typeName, extensions.get(desc.typeName) ?? new Map());
    }
  }
  return {
    fileByName: (name) => files.get(name),
    fileOfSymbol: (name) => symbols.get(name),
    fileOfExtension: (containingType, number) => extensions.get(containingType)?.get(number),
    extensionNumbers(typeName) {
      const known = extensions.get(typeName);
      return known === undefined ? undefined : [...known.keys()].sort((a, b) => a - b);
    },
  };
}

/** A file, then its imports, direct and indirect, each once. */
export function withImports(root: DescFile): Set<DescFile> {
  const found = new Set([root]);
  // A set goes on to what is added while it is walked.
  for (const file of found) for (const imported of file.dependencies) found.add(imported);
  return found;
}

/** Path of a file as imports name it; `DescFile.name` has no suffix. */
export function fileName(file: DescFile): string {
  return file.proto.name;
}

function namesIn(desc: AnyDesc): readonly string[] {
  switch (desc.kind) {
    case 'message':
      return [desc.typeName, ...membersOf(desc)];
    case 'enum': {
      // An enum's values are siblings of the enum, not its children.
      const scope = desc.typeName.slice(0, desc.typeName.lastIndexOf('.') + 1);
      return [desc.typeName, ...desc.values.map((value) => `${scope}${value.name}`)];
    }
    case 'service':
      return [desc.typeName, ...desc.methods.map((method) => `${desc.typeName}.${method.name}`)];
    case 'extension':
      return [desc.typeName];
    default:
      return [];
  }
}

function membersOf(message: DescMessage): string[] {
  return [...message.fields, ...message.oneofs].map((member) => `${message.typeName}.${member.name}`);
}

function register(extensions: Map<string, Map<number, DescFile>>, extension: DescExtension, file: DescFile): void {
  const known = extensions.get(extension.extendee.typeName) ?? new Map<number, DescFile>();
  extensions.set(extension.extendee.typeName, known.set(extension.number, file));
}
