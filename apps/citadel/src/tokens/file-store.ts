import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { FlotillaError } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import { syncDirectory } from '@flotilla/runtime/disk';
import { createSealedDirectory, hasSealedDirectory } from '../keystore/sealed-directory.ts';
import { decodeRecord, encodeRecord, type TokenRecord } from './token-record.ts';
import type { TokenStore } from './token-store.ts';

/** Name of the file in its directory. */
export const TOKEN_FILE = 'tokens.jsonl';

/** A line that says that a token is forgotten. */
interface Forgotten {
  readonly forgotten: string;
}

/** Lines that may pile up beyond what is known before the file is written anew. */
const SLACK_LINES = 1_000;

/**
 * Records in a file of one process: a JSON object a line, where the last one about a token counts. A line is on the disk
 * before its change is acknowledged; a torn last line, of a crash in the middle, was not. Throws `invalid` when the file
 * is missing or damaged: a token that was used would be good again.
 */
export function openFileTokenStore(directory: string): TokenStore {
  const path = join(directory, TOKEN_FILE);
  const fault = (error: unknown): FlotillaError =>
    FlotillaError.from(error, 'system').within(`the tokens in ${path} cannot be kept`);
  const read = readRecords(path);
  const records = read.records;
  let lines = read.lines;
  let file = openSync(path, 'a', 0o600);

  const append = (texts: readonly string[]): void => {
    try {
      // Removed or replaced under this process: what is written there is lost.
      if (fstatSync(file).nlink === 0) throw new FlotillaError('system', 'the file was removed');
      const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(''));
      const { size } = fstatSync(file);
      try {
        if (writeSync(file, bytes) < bytes.length) throw new FlotillaError('system', 'the disk is full');
        fsyncSync(file);
      } catch (error) {
        // Half a line would make one with the next.
        truncateSync(path, size);
        throw error;
      }
      lines += texts.length;
    } catch (error) {
      throw fault(error);
    }
  };
  const compact = (): void => {
    if (lines <= 2 * records.size + SLACK_LINES) return;
    try {
      const temporary = `${path}.new`;
      const next = openSync(temporary, 'w', 0o600);
      try {
        writeSync(next, [...records.values()].map((record) => `${encodeRecord(record)}\n`).join(''));
        fsyncSync(next);
      } finally {
        closeSync(next);
      }
      renameSync(temporary, path);
      syncDirectory(dirname(path));
      closeSync(file);
      file = openSync(path, 'a', 0o600);
      lines = records.size;
    } catch (error) {
      throw fault(error);
    }
  };

  // Each step is done at one go: nobody comes in between.
  return {
    get: (id) => Promise.resolve(records.get(id) ?? null),
    async replace(before, after) {
      if ((records.get(after.id) ?? null) !== before) return false;
      append([encodeRecord(after)]);
      records.set(after.id, after);
      compact();
      return true;
    },
    count: () => Promise.resolve(records.size),
    all: () => Promise.resolve([...records.values()]),
    async forget(ids) {
      const known = ids.filter((id) => records.has(id));
      if (known.length === 0) return;
      append(known.map((id) => JSON.stringify({ forgotten: id } satisfies Forgotten)));
      for (const id of known) records.delete(id);
      compact();
    },
    close() {
      closeSync(file);
      return Promise.resolve();
    },
  };
}

/**
 * The store in a directory of its own, for keys that the platform keeps. Made there at the first start, which is said:
 * whether there was one before cannot be told from the keys.
 */
export function openTokenState(directory: string, logger: Logger): TokenStore {
  const own = join(directory, 'tokens');
  if (!hasSealedDirectory(own)) {
    createSealedDirectory(own, { [TOKEN_FILE]: '' });
    logger.warn(`no bootstrap token counts as used or revoked: ${own} is new`);
  }
  return openFileTokenStore(own);
}

function readRecords(path: string): { readonly records: Map<string, TokenRecord>; readonly lines: number } {
  if (!existsSync(path)) {
    throw new FlotillaError('invalid', `${path} is missing, and with it which bootstrap tokens were used or revoked`, {
      hint: `Put it back from a backup. Or remove ${dirname(path)} and begin anew with the token key (--begin-anew), which makes every token void that was given out.`,
    });
  }
  const records = new Map<string, TokenRecord>();
  const text = readFileSync(path, 'utf8');
  const end = text.lastIndexOf('\n') + 1;
  if (end < text.length) truncateSync(path, Buffer.byteLength(text.slice(0, end)));
  const lines = text.slice(0, end).split('\n').slice(0, -1);
  for (const [index, line] of lines.entries()) {
    const record = decodeRecord(line);
    const forgotten = record === null ? forgottenId(line) : null;
    if (record !== null) records.set(record.id, record);
    else if (forgotten !== null) records.delete(forgotten);
    else {
      throw new FlotillaError('invalid', `${path}:${index + 1} is damaged`, {
        hint: `Put the file back from a backup. Or remove ${dirname(path)} and begin anew with the token key (--begin-anew), which makes every token void that was given out.`,
      });
    }
  }
  return { records, lines: lines.length };
}

function forgottenId(line: string): string | null {
  try {
    const value: unknown = JSON.parse(line);
    const isForgotten = typeof value === 'object' && value !== null && 'forgotten' in value;
    return isForgotten && typeof value.forgotten === 'string' ? value.forgotten : null;
  } catch {
    return null;
  }
}
