/**
 * How the sources stand: sizes, circles, rooms.
 *
 *   node tools/house/main.ts           prints the figures, and what is too long
 *   node tools/house/main.ts --check   exit 1 when files import each other in a circle, types included, or a room imports
 *                                      one that stands above it
 */
import { resolve } from 'node:path';
import { orderFindings } from './findings.ts';
import { report } from './report.ts';
import { importsOf, readDoors, readSources } from './sources.ts';
import { HOUSES } from './table.ts';

const root = resolve(import.meta.dirname, '../..');
const sources = readSources(root);
const imports = importsOf(sources, readDoors(root));

if (process.argv.includes('--check')) {
  const paths = sources.map(({ path }) => path);
  const findings = orderFindings(paths, imports, HOUSES);
  for (const finding of findings) console.error(finding);
  process.exit(findings.length === 0 ? 0 : 1);
}
console.log(report(sources, imports, HOUSES));
