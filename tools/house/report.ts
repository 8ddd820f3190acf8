import { circlesOf } from './circles.ts';
import { anyLines, isLongWithoutReason, lineCount, longFunctions, quantile } from './measure.ts';
import { type House, upwardImports } from './room-order.ts';
import { type Import, isTest, type Source } from './sources.ts';

const MAX_FILE_LINES = 400;
const MAX_FUNCTION_LINES = 80;

/** The figures of all `sources`, as lines of text: programs by themselves, tests beside them. */
export function report(sources: readonly Source[], imports: readonly Import[], houses: readonly House[]): string {
  const programs = sources.filter(({ path }) => !isTest(path));
  const edges = imports.filter(({ from }) => !isTest(from));
  const tests = sources.filter(({ path }) => isTest(path));
  const parts = ['apps/citadel', 'apps/cli', 'apps/galley', 'apps/pilot', 'apps/proxy', 'libs'];
  const sizes = [
    ['all', programs] as const,
    ...parts.map((part) => [part, programs.filter(({ path }) => path.startsWith(`${part}/`))] as const),
    ['tests and tools', tests] as const,
  ];
  const functions = programs
    .flatMap((source) => longFunctions(source, MAX_FUNCTION_LINES))
    .toSorted((a, b) => b.lines - a.lines);
  const anys = programs.flatMap((source) => anyLines(source).map((line) => `${source.path}:${line}`));
  const tooLong = programs.filter((source) => isLongWithoutReason(source, MAX_FILE_LINES));
  const upward = upwardImports(edges, houses);
  const circles = circlesOf(edges);
  return [
    'files            count  lines  median    p90    max',
    ...sizes.map(sizeLine),
    '',
    `circles, types included: ${circles.length}; by value alone: ${circlesOf(edges.filter(({ isType }) => !isType)).length}`,
    ...circles.map((circle) => `  ${circle.length}: ${circle.join(' ')}`),
    `imports against the order of rooms: ${upward.length}`,
    ...upward.map(({ from, line, fromRoom, to, toRoom }) => `  ${from}:${line} ${fromRoom} -> ${toRoom} ${to}`),
    `files over ${MAX_FILE_LINES} lines whose head does not say why they are long: ${tooLong.length}`,
    ...tooLong.map((source) => `  ${source.path} ${lineCount(source)}`),
    `functions over ${MAX_FUNCTION_LINES} lines: ${functions.length}`,
    ...functions.map(({ path, line, name, lines }) => `  ${path}:${line} ${name} ${lines}`),
    `any: ${anys.length}`,
    ...anys.map((place) => `  ${place}`),
  ].join('\n');
}

function sizeLine([name, sources]: readonly [string, readonly Source[]]): string {
  const sorted = sources.map(lineCount).toSorted((a, b) => a - b);
  const total = sorted.reduce((sum, lines) => sum + lines, 0);
  const figures = [sorted.length, total, quantile(sorted, 0.5), quantile(sorted, 0.9), sorted.at(-1) ?? 0];
  return name.padEnd(16) + figures.map((figure, at) => `${figure}`.padStart(at === 0 ? 6 : 7)).join('');
}
