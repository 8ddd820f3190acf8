import ts from 'typescript';
import type { Source } from './sources.ts';

export interface LongFunction {
  readonly path: string;
  readonly line: number;
  readonly name: string;
  readonly lines: number;
}

export const lineCount = ({ text }: Source): number => text.split('\n').length - 1;

/** The value below which `share` (0 to 1) of the sorted numbers lie. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Functions of more than `most` lines. A test's `describe` is a list, and no function. */
export function longFunctions({ path, tree }: Source, most: number): LongFunction[] {
  const found: LongFunction[] = [];
  const visit = (node: ts.Node, name: string): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const start = tree.getLineAndCharacterOfPosition(node.getStart(tree)).line;
      const lines = tree.getLineAndCharacterOfPosition(node.end).line - start + 1;
      const own = node.name !== undefined && ts.isIdentifier(node.name) ? node.name.text : name;
      if (lines > most) found.push({ path, line: start + 1, name: own, lines });
    }
    const next = ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) ? node.name.text : name;
    ts.forEachChild(node, (child) => {
      visit(child, next);
    });
  };
  visit(tree, '(unnamed)');
  return found;
}

/** Lines that say `any` as a type. */
export function anyLines({ tree }: Source): number[] {
  const lines: number[] = [];
  const visit = (node: ts.Node): void => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) lines.push(tree.getLineAndCharacterOfPosition(node.pos).line + 1);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return lines;
}

/** A file longer than `most` lines that does not open with a comment that says why it is `long`. */
export function isLongWithoutReason(source: Source, most: number): boolean {
  return lineCount(source) > most && !/\blong\b/i.test(source.text.slice(0, source.text.indexOf('*/') + 1));
}
