import { readFileSync } from 'node:fs';
import { FlotillaError, parseAddress, parseDurationMs, type SocketAddress } from '@flotilla/runtime';
import { parseSecretMode, readSecretFile } from '@flotilla/runtime/disk';

/**
 * One setting of a program: a flag and an environment variable, both named after its key in the table (`maxTtl`:
 * `--max-ttl`, `FLOTILLA_MAX_TTL`). Immutable.
 */
export interface Setting<T> {
  /** What it is, for the tables of the documentation. */
  readonly description: string;
  /** Form of the value, such as `host:port`; `null` for a flag without one. */
  readonly form: string | null;
  /** The value when nothing is given, as text; `null`: there is none, and `whenAbsent` decides. */
  readonly standard: string | null;
  /** Throws `invalid` or `system`. `texts` holds one text, or all of a list. */
  readonly parse: (texts: readonly string[], reading: Reading) => T;
  /** `'required'`, or the value when it is given nowhere and has no standard. */
  readonly whenAbsent: { readonly value: T } | 'required';
  /** May be given several times; the environment separates by commas. */
  readonly isList: boolean;
}

/** What the settings of a program have in common while they are read. */
export interface Reading {
  /** The widest mode that files with secrets may have. */
  readonly secretMode: number;
}

interface Description {
  readonly description: string;
}
interface WithForm<F> extends Description {
  readonly standard?: F;
}

/** A setting with a form of its own: `parse` makes the value of its text, and throws `invalid` for what is none. */
export function single<T>(
  form: string,
  { description, standard }: WithForm<string>,
  parse: (text: string, reading: Reading) => T,
): Setting<T> {
  return {
    description,
    form,
    standard: standard ?? null,
    parse: (texts, reading) => parse(texts.at(-1) ?? '', reading),
    whenAbsent: 'required',
    isList: false,
  };
}

/** Not given: null. An empty text, given on purpose, counts as not given. */
export function optional<T>(setting: Setting<T>): Setting<T | null> {
  return {
    ...setting,
    parse: (texts, reading) => (texts.length === 1 && texts[0] === '' ? null : setting.parse(texts, reading)),
    whenAbsent: { value: null },
  };
}

/** Any number of values; none: an empty list. */
export function list<T>(setting: Setting<T>): Setting<readonly T[]> {
  return {
    ...setting,
    parse: (texts, reading) => texts.filter((text) => text !== '').map((text) => setting.parse([text], reading)),
    whenAbsent: { value: [] },
    isList: true,
  };
}

export const text = (of: WithForm<string> & { readonly form?: string }): Setting<string> =>
  single(of.form ?? 'text', of, (value) => {
    if (value === '') throw new FlotillaError('invalid', 'it is empty');
    return value;
  });

export const address = (of: WithForm<string>): Setting<SocketAddress> => single('host:port', of, parseAddress);

/** Milliseconds, more than none. */
export const duration = (of: WithForm<string>): Setting<number> =>
  single('duration', of, (value) => {
    const durationMs = parseDurationMs(value);
    if (durationMs <= 0) throw new FlotillaError('invalid', `${value} is not longer than nothing`);
    return durationMs;
  });

export const integer = (of: WithForm<string> & { readonly min: number; readonly max: number }): Setting<number> =>
  single('number', of, (value) => {
    const number = Number(value);
    if (value !== '' && Number.isInteger(number) && number >= of.min && number <= of.max) return number;
    throw new FlotillaError('invalid', `"${value}" is not a whole number from ${of.min} to ${of.max}`);
  });

/** `http://…` or `https://…` without a path. */
export const url = (of: WithForm<string> & { readonly form?: string }): Setting<string> =>
  single(of.form ?? 'https://host:port', of, (value) => {
    if (URL.canParse(value) && value.includes('://')) return value;
    throw new FlotillaError('invalid', `"${value}" is not a URL`, { hint: `Write ${of.form ?? 'https://host:port'}.` });
  });

export const oneOf = <W extends string>(words: readonly W[], of: WithForm<W>): Setting<W> =>
  single(words.join('|'), of, (value) => {
    const word = words.find((candidate) => candidate === value);
    if (word !== undefined) return word;
    throw new FlotillaError('invalid', `"${value}" is none of ${words.join(', ')}`);
  });

/** Off unless given; the environment says `true` or `false`. */
export const flag = ({ description }: Description): Setting<boolean> => ({
  description,
  form: null,
  standard: null,
  parse: ([value]) => {
    if (value === 'true' || value === 'false') return value === 'true';
    throw new FlotillaError('invalid', `"${value ?? ''}" is neither true nor false`);
  },
  whenAbsent: { value: false },
  isList: false,
});

/** The content of a file, read when settings are. */
export const fileContent = (of: Description): Setting<string> =>
  single('file', of, (path) => {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      throw new FlotillaError('system', `cannot read it: ${FlotillaError.from(error).message}`, { cause: error });
    }
  });

/**
 * A secret in a file of its own, without the white space around it. Throws when there is nothing in it, or when others
 * can read it.
 */
export const secretFile = (of: Description): Setting<string> =>
  single('file', of, (file, { secretMode }) => {
    let secret: string;
    try {
      secret = readSecretFile(file, { widestMode: secretMode }).trim();
    } catch (error) {
      throw FlotillaError.from(error).within('cannot read it');
    }
    if (secret === '') throw new FlotillaError('invalid', `${file} is empty`);
    return secret;
  });

/** How wide the modes of files with secrets may be, for all other settings of a table that has it as `secretMode`. */
export const secretModeSetting: Setting<number> = single(
  'mode',
  {
    description: 'widest mode of files with secrets; 0440 where Kubernetes mounts them, 0644 where compose does',
    standard: '0600',
  },
  parseSecretMode,
);

/** A path that is not looked at here. */
export const path = (of: WithForm<string> & { readonly form?: string }): Setting<string> =>
  text({ form: 'file', ...of });
