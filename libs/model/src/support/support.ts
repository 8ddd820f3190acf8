import { FAULT_CODES } from '../decode/fault.ts';
import type { Fault, FieldPath } from '../decode/fault.ts';
import { isObject } from '@flotilla/runtime';
import { quote } from '../decode/scalar.ts';

/**
 * One line of a support table. Paths are field names from the spec's root: `http[].route[].weight`; `[]` is any entry
 * of a list, `{}` any value of a map. A line speaks for its field and for all below it that no other line names.
 */
export type SupportLine =
  | { readonly verdict: 'honoured'; readonly path: string }
  /** `consequence`: what would happen if the field were passed over, as a clause: "requests would …". */
  | { readonly verdict: 'not-yet'; readonly path: string; readonly consequence: string }
  /** The field is honoured, except with this value. */
  | { readonly verdict: 'not-this-value'; readonly path: string; readonly value: string; readonly consequence: string };

/** `honours('http[]', 'name', 'timeout')`: these fields of that place are in force. */
export function honours(place: string, ...names: readonly string[]): readonly SupportLine[] {
  return names.map((name) => ({ verdict: 'honoured', path: place === '' ? name : `${place}.${name}` }));
}

export function notYet(path: string, consequence: string): SupportLine {
  return { verdict: 'not-yet', path, consequence };
}

export function notThisValue(path: string, value: string, consequence: string): SupportLine {
  return { verdict: 'not-this-value', path, value, consequence };
}

/** A table made fast to ask. */
export interface SupportTable {
  /** Whether some line speaks for the path (written as in the table), for checks of completeness. */
  verdictOf(path: string): 'honoured' | 'not-yet' | null;
  /** A fault for every field of `value` that is written and not honoured. Fields no line names are not honoured. */
  check(value: unknown, path: FieldPath): readonly Fault[];
}

export interface CompileSupportOptions {
  /** Accept a field that is not honoured when it is written with this value: what happens anyway. */
  readonly defaults?: unknown;
}

interface Place {
  readonly children: Map<string, Place>;
  verdict: 'honoured' | 'not-yet' | null;
  consequence: string;
  readonly refusedValues: Map<string, string>;
}

export function compileSupport(lines: readonly SupportLine[], options: CompileSupportOptions = {}): SupportTable {
  const root = newPlace();
  for (const line of lines) {
    const place = descend(root, line.path);
    if (line.verdict === 'not-this-value') place.refusedValues.set(line.value, line.consequence);
    else place.verdict = line.verdict;
    if (line.verdict === 'not-yet') place.consequence = line.consequence;
  }
  return {
    verdictOf(path) {
      let place: Place | undefined = root;
      let verdict: Place['verdict'] = null;
      for (const step of stepsOf(path)) {
        place = place?.children.get(step);
        if (place === undefined) break;
        verdict = place.verdict ?? verdict;
      }
      return verdict;
    },
    check(value, path) {
      const faults: Fault[] = [];
      checkPlace(root, { verdict: null, consequence: '' }, value, path, options.defaults, faults);
      return faults;
    },
  };
}

type Inherited = Pick<Place, 'verdict' | 'consequence'>;

function checkPlace(
  place: Place | null,
  inherited: Inherited,
  value: unknown,
  path: FieldPath,
  standard: unknown,
  faults: Fault[],
): void {
  if (isAbsent(value)) return;
  const own: Inherited = place?.verdict == null ? inherited : place;
  const refused = typeof value === 'string' ? place?.refusedValues.get(value) : undefined;
  if (refused !== undefined) {
    faults.push(unsupported(path, 'value', `${quote(String(value))} is not supported yet`, refused));
    return;
  }
  if (own.verdict === 'honoured' && (place === null || place.children.size === 0)) return;
  if (own.verdict !== 'honoured' && isSame(value, standard)) return;
  const canDescend = (place?.children.size ?? 0) > 0 || (own.verdict !== 'honoured' && isObject(standard));
  if (canDescend && Array.isArray(value)) {
    const next = place?.children.get('[]') ?? null;
    value.forEach((child, index) => checkPlace(next, own, child, [...path, index], undefined, faults));
  } else if (canDescend && isObject(value)) {
    const anyKey = place?.children.get('{}');
    for (const [name, child] of Object.entries(value)) {
      const next = place?.children.get(name) ?? anyKey ?? null;
      checkPlace(next, own, child, [...path, name], isObject(standard) ? standard[name] : undefined, faults);
    }
  } else if (own.verdict !== 'honoured') {
    faults.push(unsupported(path, 'key', 'this field is not supported yet', own.consequence));
  }
}

function unsupported(path: FieldPath, subject: Fault['subject'], message: string, consequence: string): Fault {
  const hint = `Remove it. If it were ignored, ${consequence === '' ? 'it would have no effect' : consequence}.`;
  return { severity: 'error', code: FAULT_CODES.unsupported, path, subject, message, hint };
}

/** Whether writing the value says no more than leaving the field out. An empty map does: it switches things on. */
function isAbsent(value: unknown): boolean {
  return value === null || value === undefined || value === '' || value === 0 || value === false || isEmptyList(value);
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((each, i) => isSame(each, b[i]));
  if (!isObject(a) || !isObject(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => isSame(a[name], b[name]));
}

function newPlace(): Place {
  return { children: new Map(), verdict: null, consequence: '', refusedValues: new Map() };
}

function stepsOf(path: string): readonly string[] {
  return path
    .replaceAll('[]', '.[]')
    .replaceAll('{}', '.{}')
    .split('.')
    .filter((step) => step !== '');
}

function descend(root: Place, path: string): Place {
  let place = root;
  for (const step of stepsOf(path)) {
    let next = place.children.get(step);
    if (next === undefined) {
      next = newPlace();
      place.children.set(step, next);
    }
    place = next;
  }
  return place;
}
