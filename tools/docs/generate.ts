/**
 * Writes the generated pages, and the generated parts of pages, of docs/.
 *
 *   node tools/docs/generate.ts           write them
 *   node tools/docs/generate.ts --check   exit 1 when one is out of date, without writing
 *
 * A further page is one more entry of `pages`.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { apiPage } from './api-page.ts';
import { compatibilityPage } from './compatibility-page.ts';
import { fieldsPage } from './fields-page.ts';
import { limitsPage } from './limits-page.ts';
import type { Page } from './page.ts';
import { settingsPage } from './settings-page.ts';

const root = resolve(import.meta.dirname, '../..');

const pages: readonly Page[] = [apiPage(root), settingsPage(), compatibilityPage(root), fieldsPage(), limitsPage(root)];

const outdated: string[] = [];
for (const { file, render } of pages) {
  const path = join(root, file);
  const current = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const text = await format(await render(current), { ...(await resolveConfig(path)), filepath: path });
  if (text === current) continue;
  outdated.push(file);
  if (!process.argv.includes('--check')) writeFileSync(path, text);
}
if (process.argv.includes('--check') && outdated.length > 0) {
  console.error(`${outdated.join(', ')}: out of date. Run: npm run generate`);
  process.exit(1);
}
for (const file of outdated) console.error(`wrote ${file}`);
