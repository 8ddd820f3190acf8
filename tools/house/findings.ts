import { circlesOf } from './circles.ts';
import { homeless, type House, upwardImports } from './room-order.ts';
import { type Import, isTest } from './sources.ts';

/** What is wrong with the order of a house, a line each. `paths` are its source files, `imports` those among them. */
export function orderFindings(
  paths: readonly string[],
  imports: readonly Import[],
  houses: readonly House[],
): string[] {
  const programs = imports.filter(({ from }) => !isTest(from));
  const circles = circlesOf(imports);
  return [
    ...circles.map(
      (circle) =>
        `${circle.length} files import each other in a circle, types included: ${circle.join(', ')}. Move what they share to a file below them.`,
    ),
    ...upwardImports(programs, houses).map(
      ({ from, line, fromRoom, to, toRoom }) =>
        `${from}:${line}: the room ${fromRoom} imports ${to} of ${toRoom === null ? 'no room' : `${toRoom}, which stands above it`}. tools/house/table.ts has the order.`,
    ),
    ...houses.flatMap((house) =>
      homeless(paths, house)
        .filter((path) => !isTest(path))
        .map((path) => `${path}: stands in no room. Give its folder a place in tools/house/table.ts.`),
    ),
  ];
}
