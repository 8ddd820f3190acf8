import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FlotillaError } from '../errors.ts';
import { makeDirectory, replaceDurably } from './durable.ts';

/** What a mesh has one of, and must not lose: the store of its configuration, its root, the key of its tokens. */
export type Part = 'store' | 'root' | 'token-key';

const PARTS: readonly Part[] = ['store', 'root', 'token-key'];
const FILE = 'inventory.json';
const IDENTITY = /^[0-9a-f-]{12,}$/;
// What is printed and typed of an identity.
const SHORT = 12;

export interface InventoryOptions {
  /**
   * Directories that keep it, each the whole of it: one of them that is lost is made up for by the others. Made where
   * they are missing. None: nothing is remembered, and a part that is not there has to be asked for as `<part>:first`.
   */
  readonly places: readonly string[];
  /** Parts that were lost on purpose, as a refusal names them: `store:3f2a90c1d4e7`. */
  readonly beginAnew?: readonly string[];
}

/**
 * Remembers which store, root and token key a mesh has, in another place than these themselves. So what is gone, emptied
 * or of another mesh is told from what was never there, and nothing is begun anew without a word.
 */
export interface Inventory {
  /** Whether one is remembered, also when its loss is meant. */
  has(part: Part): boolean;
  /**
   * Throws `invalid` unless the part that was found is the one that is remembered. `found` is its identity, then those
   * of its forebears; none: it is not there, and is about to be made. `where` says where it was looked for. A loss
   * that is said to be meant is none.
   */
  check(part: Part, found: readonly string[], where: string): void;
  /** Remembers a part. On the disk when this returns. Throws `system`. */
  record(part: Part, identity: string): void;
}

/** Opens an inventory, which may be empty. Throws `invalid` for one that is damaged, `system` when it cannot be read. */
export function openInventory({ places, beginAnew = [] }: InventoryOptions): Inventory {
  const kept = places.map(openPlace);
  const meant = new Set(beginAnew.map(checkedWish));
  const remembered = (part: Part): readonly string[] => [
    ...new Set(kept.flatMap(({ parts }) => parts.get(part) ?? []).filter((id) => !meant.has(`${part}:${short(id)}`))),
  ];
  return {
    has: (part) => kept.some(({ parts }) => parts.has(part)),
    check(part, found, where) {
      if (places.length === 0 && found.length === 0 && !meant.has(`${part}:first`)) throw neverSeen(part, where);
      for (const identity of remembered(part)) {
        if (!found.includes(identity)) throw lost(part, identity, found[0], where, places);
      }
    },
    record(part, identity) {
      for (const { path, parts } of kept) {
        if (parts.get(part) === identity) continue;
        writeParts(path, new Map([...parts, [part, identity]]));
        parts.set(part, identity);
      }
    },
  };
}

/** The form of a wish to begin anew, `<part>:<identity>`. Throws `invalid`. */
export function checkedWish(text: string): string {
  const [part, identity = ''] = text.split(':');
  if (PARTS.some((known) => known === part) && (identity === 'first' || IDENTITY.test(identity))) {
    return `${part}:${short(identity)}`;
  }
  throw new FlotillaError('invalid', `"${text}" names nothing that could be begun anew`, {
    hint: 'Write it as the refusal of a start does, such as store:3f2a90c1d4e7.',
  });
}

function short(identity: string): string {
  return identity.slice(0, SHORT);
}

const WORDS: Readonly<Record<Part, { readonly name: string; readonly cost: string }>> = {
  store: { name: 'store', cost: 'all configuration that was applied is lost' },
  root: { name: 'root', cost: 'every workload needs the new root and a new token' },
  'token-key': { name: 'token key', cost: 'every bootstrap token that was made before is refused' },
};

function lost(
  part: Part,
  identity: string,
  found: string | undefined,
  where: string,
  places: readonly string[],
): FlotillaError {
  const { name, cost } = WORDS[part];
  const now = found === undefined ? 'there is none now' : `what is there now is another one, ${short(found)}`;
  const from = places.map((directory) => join(directory, FILE)).join(' and ');
  return new FlotillaError('invalid', `${where} had the ${name} ${short(identity)} (says ${from}), and ${now}`, {
    hint: `Put it back from a backup. To begin anew (${cost}): --begin-anew ${part}:${short(identity)}`,
  });
}

function neverSeen(part: Part, where: string): FlotillaError {
  const { name } = WORDS[part];
  return new FlotillaError('invalid', `${where} has no ${name}, and nothing remembers whether it had one`, {
    hint: `For a new mesh give --inventory a directory that lasts, to remember it in; or --begin-anew ${part}:first`,
  });
}

interface Place {
  readonly path: string;
  readonly parts: Map<Part, string>;
}

function openPlace(directory: string): Place {
  try {
    makeDirectory(directory);
  } catch (error) {
    throw FlotillaError.from(error, 'system').within(`cannot make ${directory}`);
  }
  const path = join(directory, FILE);
  return { path, parts: readParts(path) };
}

function readParts(path: string): Map<Part, string> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
    throw FlotillaError.from(error, 'system').within(`cannot read what ${path} remembers`);
  }
  try {
    const value: unknown = JSON.parse(text);
    const entries = Object.entries(value as object).map(([name, identity]): [Part, string] => {
      const part = PARTS.find((known) => known === name);
      if (part === undefined || typeof identity !== 'string' || !IDENTITY.test(identity)) {
        throw new TypeError(`"${name}" is not an entry of it`);
      }
      return [part, identity];
    });
    return new Map(entries);
  } catch (error) {
    throw new FlotillaError('invalid', `${path} is damaged: ${FlotillaError.from(error).message}`, {
      cause: error,
      hint: 'Put it back from a backup; or, when store and keys are known to be the right ones, remove it.',
    });
  }
}

function writeParts(path: string, parts: ReadonlyMap<Part, string>): void {
  try {
    replaceDurably(path, `${JSON.stringify(Object.fromEntries(parts))}\n`);
  } catch (error) {
    throw FlotillaError.from(error, 'system').within(`cannot remember in ${path}`);
  }
}
