import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatReport, isClean } from './report.ts';
import { run, type RunOptions } from './run.ts';

/* What main.ts starts in namespaces of its own: `node inside.ts OPTIONS`. */

const options = JSON.parse(process.argv[2] ?? '') as RunOptions; // What main.ts wrote.
execFileSync('ip', ['link', 'set', 'lo', 'up']);
const report = await run(options, (line) => console.log(`${new Date().toISOString()}  ${line}`));
writeFileSync(join(options.folder, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
console.log(formatReport(report));
process.exit(isClean(report) ? 0 : 1);
