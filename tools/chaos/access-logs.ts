import { createReadStream, existsSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** The lines of access logs for these requests, by their number; those that a full disk took are missing. */
export async function accessLogLines(
  files: readonly string[],
  numbers: ReadonlySet<number>,
): Promise<ReadonlyMap<number, string>> {
  const found = new Map<number, string>();
  for (const file of files.filter((path) => existsSync(path))) {
    for await (const line of createInterface({ input: createReadStream(file) })) {
      const number = Number(/"number":"(\d+)"/.exec(line)?.[1]);
      if (numbers.has(number)) found.set(number, [found.get(number), line].filter(Boolean).join(' '));
    }
  }
  return found;
}
