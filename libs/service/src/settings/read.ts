import { FlotillaError } from '@flotilla/runtime';
import { PRIVATE_FILE_MODE } from '@flotilla/runtime/disk';
import type { Reading, Setting } from './setting.ts';

/** All settings of a program, by key. */
export type SettingsTable = Readonly<Record<string, Setting<unknown>>>;

/** The values that a table reads into. */
export type SettingsOf<Table extends SettingsTable> = Readonly<{
  [K in keyof Table]: Table[K] extends Setting<infer T> ? T : never;
}>;

/** `maxTtl`: `--max-ttl`. */
export function flagOf(key: string): string {
  return `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `maxTtl`: `FLOTILLA_MAX_TTL`. */
export function variableOf(key: string): string {
  return `FLOTILLA_${key.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/**
 * An environment without variables of settings: for a program that is told everything by options, and must not take up
 * what somebody set for another one.
 */
export function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('FLOTILLA_')));
}

/**
 * Reads the settings of a program: a flag wins over its variable, a variable over the standard. A variable that is
 * empty counts as not set. Other `FLOTILLA_` variables are let be: platforms make some of their own.
 * Throws `usage` with every fault at once, a line each.
 */
export function readSettings<Table extends SettingsTable>(
  table: Table,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): SettingsOf<Table> {
  const { given, faults } = readFlags(table, argv);
  const values: Record<string, unknown> = {};
  let reading: Reading = { secretMode: PRIVATE_FILE_MODE };
  // What others are read by comes first.
  const entries = Object.entries(table).sort(([a], [b]) => Number(b === 'secretMode') - Number(a === 'secretMode'));
  for (const [key, setting] of entries) {
    const source = sourceOf(key, setting, given, env);
    try {
      values[key] = valueOf(key, setting, source, reading);
      if (key === 'secretMode') reading = { secretMode: Number(values[key]) };
    } catch (thrown) {
      const { message, hint } = FlotillaError.from(thrown, 'invalid');
      const text = source === null ? message : `${source.name}: ${message}`;
      faults.push(hint === undefined ? text : `${text}. ${hint}`);
    }
  }
  if (faults.length > 0) {
    throw new FlotillaError('usage', faults.length === 1 ? String(faults[0]) : `\n  ${faults.join('\n  ')}`);
  }
  // Each key was parsed by the setting that the type takes its value from.
  return Object.freeze(values) as SettingsOf<Table>;
}

interface Source {
  /** The flag or the variable, as somebody looking for it writes it. */
  readonly name: string;
  readonly texts: readonly string[];
}

function sourceOf(
  key: string,
  setting: Setting<unknown>,
  given: ReadonlyMap<string, readonly string[]>,
  env: NodeJS.ProcessEnv,
): Source | null {
  const flags = given.get(key);
  if (flags !== undefined) return { name: flagOf(key), texts: flags };
  const variable = env[variableOf(key)];
  if (variable !== undefined && variable !== '') {
    const texts = setting.isList ? variable.split(',').map((part) => part.trim()) : [variable];
    return { name: variableOf(key), texts };
  }
  return null;
}

function valueOf(key: string, setting: Setting<unknown>, source: Source | null, reading: Reading): unknown {
  if (source !== null) return setting.parse(source.texts, reading);
  if (setting.standard !== null) {
    return setting.parse(setting.isList ? setting.standard.split(',') : [setting.standard], reading);
  }
  if (setting.whenAbsent !== 'required') return setting.whenAbsent.value;
  throw new FlotillaError(
    'usage',
    `${flagOf(key)} (or ${variableOf(key)}) is needed: ${setting.description}, as <${setting.form ?? ''}>`,
  );
}

function readFlags(table: SettingsTable, argv: readonly string[]) {
  const keys = new Map(Object.keys(table).map((key) => [flagOf(key), key]));
  const given = new Map<string, string[]>();
  const faults: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? '';
    const equals = argument.indexOf('=');
    const name = equals === -1 ? argument : argument.slice(0, equals);
    const key = keys.get(name);
    const setting = key === undefined ? undefined : table[key];
    if (key === undefined || setting === undefined) {
      faults.push(argument.startsWith('-') ? `there is no option ${name}` : `"${argument}" belongs to no option`);
      // What follows an unknown option is probably its value.
      if (equals === -1 && argument.startsWith('-') && argv[index + 1]?.startsWith('-') === false) index++;
      continue;
    }
    let value: string | undefined = equals === -1 ? undefined : argument.slice(equals + 1);
    if (value === undefined) value = setting.form === null ? 'true' : argv[++index];
    if (value === undefined) {
      faults.push(`${name} needs a value: <${setting.form ?? ''}>`);
      continue;
    }
    given.set(key, [...(given.get(key) ?? []), value]);
  }
  return { given, faults };
}
