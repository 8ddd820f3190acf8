import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';

/** One import, export-from or `import()` of a source file, in a type or for a value. */
export interface Import {
  /** Path from the root, as `from` is: `apps/proxy/src/stack.ts`. */
  readonly from: string;
  readonly to: string;
  readonly line: number;
  readonly isType: boolean;
}

export interface Source {
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
}

const SOURCES = ['apps/*/src/**/*.ts', 'apps/proxy/conformance/**/*.ts', 'libs/*/src/**/*.ts', 'tools/**/*.ts'];

/** A file that only tests use: no part of a room, and no part of what a program is made of. */
export const isTest = (path: string): boolean =>
  /\.(spec|suite)\.ts$|\/(journeys|testing|conformance)\/|\/testing(-[^/]*)?\.ts$|^libs\/testing\/|^(tools|examples)\//.test(
    path,
  );

/** Every source file under `root`, parsed. */
export function readSources(root: string): Source[] {
  return globSync(SOURCES, { cwd: root, exclude: ['**/node_modules/**', '**/dist/**'] })
    .toSorted()
    .map((path) => parseSource(path, readFileSync(join(root, path), 'utf8')));
}

export function parseSource(path: string, text: string): Source {
  return { path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.Latest) };
}

/** Where `@flotilla/name` and `@flotilla/name/door` lead: paths from the root, by specifier. */
export function readDoors(root: string): ReadonlyMap<string, string> {
  const doors = new Map<string, string>();
  for (const manifest of globSync(['apps/*/package.json', 'libs/*/package.json'], { cwd: root })) {
    const { name, exports } = JSON.parse(readFileSync(join(root, manifest), 'utf8')) as {
      readonly name: string;
      readonly exports?: Readonly<Record<string, unknown>>;
    };
    for (const [door, target] of Object.entries(exports ?? {})) {
      if (typeof target === 'string') doors.set(join(name, door), join(dirname(manifest), target));
    }
  }
  return doors;
}

/** The imports among `sources`; packages from outside and generated code are none of them. */
export function importsOf(sources: readonly Source[], doors: ReadonlyMap<string, string>): Import[] {
  const known = new Set(sources.map(({ path }) => path));
  const imports: Import[] = [];
  for (const { path, tree } of sources) {
    const add = (specifier: ts.Node | undefined, isType: boolean): void => {
      if (specifier === undefined || !ts.isStringLiteralLike(specifier)) return;
      const to = specifier.text.startsWith('.')
        ? relative('.', join(dirname(path), specifier.text))
        : doors.get(specifier.text);
      if (to === undefined || !known.has(to)) return;
      imports.push({ from: path, to, line: tree.getLineAndCharacterOfPosition(specifier.pos).line + 1, isType });
    };
    const visit = (node: ts.Node): void => {
      if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, isTypeOnly(node.importClause));
      else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, isTypeExport(node));
      else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true);
      else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
        add(node.arguments[0], false);
      }
      ts.forEachChild(node, visit);
    };
    visit(tree);
  }
  return imports;
}

function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  if (clause === undefined) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const { name, namedBindings } = clause;
  if (name !== undefined || namedBindings === undefined || !ts.isNamedImports(namedBindings)) return false;
  return namedBindings.elements.every(({ isTypeOnly: isType }) => isType);
}

function isTypeExport({ isTypeOnly: isType, exportClause }: ts.ExportDeclaration): boolean {
  if (isType) return true;
  if (exportClause === undefined || !ts.isNamedExports(exportClause)) return false;
  return exportClause.elements.every((element) => element.isTypeOnly);
}
