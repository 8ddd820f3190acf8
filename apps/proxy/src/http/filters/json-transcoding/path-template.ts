import { FlotillaError } from '@flotilla/runtime';

/** Fields that a path gives values to: the field's path (`shelf.id`) and the text. */
export type PathValues = readonly (readonly [string, string])[];

/** Null: the path does not match. Segments are decoded. */
export type PathTemplate = (path: string) => PathValues | null;

type Segment =
  { readonly kind: 'literal'; readonly text: string } | { readonly kind: 'one' } | { readonly kind: 'rest' };

interface Variable {
  readonly field: string;
  readonly start: number;
  readonly end: number;
}

interface ParsedTemplate {
  readonly segments: readonly Segment[];
  readonly variables: readonly Variable[];
  /** What follows the last `:`; empty for none. */
  readonly verb: string;
}

/**
 * Compiles a path template of `google.api.http` (`/v1/{name=shelves/*}/books:list`): `*` is one segment, `**` all that
 * follow. `rank` orders templates: the lower, the more literal. Throws `invalid`.
 */
export function compilePathTemplate(template: string): { readonly match: PathTemplate; readonly rank: string } {
  const parsed = parse(template);
  const ranks = { literal: '0', one: '1', rest: '2' } as const;
  return {
    match: (path) => match(parsed, path),
    rank: parsed.segments.map(({ kind }) => ranks[kind]).join('') + (parsed.verb === '' ? '1' : '0'),
  };
}

function parse(template: string): ParsedTemplate {
  const segments: Segment[] = [];
  const variables: Variable[] = [];
  const last = template.slice(Math.max(...['/', '{', '}'].map((mark) => template.lastIndexOf(mark))) + 1);
  const verb = last.includes(':') ? last.slice(last.indexOf(':') + 1) : '';
  const path = verb === '' ? template : template.slice(0, -verb.length - 1);
  if (!path.startsWith('/')) return malformed(template, 'does not begin with "/"');
  // A variable may hold slashes: `{name=shelves/*}`.
  for (const piece of path.slice(1).match(/(?:\{[^{}]*\}|(?<![^/{}])[^/{}]+)(?=\/|$)/g) ?? []) {
    const variable = /^\{([\w.]+)(?:=([^{}]+))?\}$/.exec(piece);
    if (variable === null && piece.startsWith('{')) return malformed(template, `"${piece}" is no variable`);
    const start = segments.length;
    for (const part of (variable === null ? piece : (variable[2] ?? '*')).split('/')) segments.push(segmentOf(part));
    if (variable !== null) variables.push({ field: variable[1] ?? '', start, end: segments.length });
  }
  const rest = segments.findIndex(({ kind }) => kind === 'rest');
  if (rest !== -1 && rest !== segments.length - 1) return malformed(template, '"**" is not its last segment');
  if (segments.length === 0) return malformed(template, 'is empty');
  return { segments, variables, verb };
}

function segmentOf(text: string): Segment {
  if (text === '**') return { kind: 'rest' };
  return text === '*' ? { kind: 'one' } : { kind: 'literal', text };
}

function match({ segments, variables, verb }: ParsedTemplate, path: string): PathValues | null {
  let rest = path;
  if (verb !== '') {
    if (!path.endsWith(`:${verb}`)) return null;
    rest = path.slice(0, -verb.length - 1);
  }
  if (!rest.startsWith('/')) return null;
  const parts = rest.slice(1).split('/');
  const hasRest = segments.at(-1)?.kind === 'rest';
  if (hasRest ? parts.length < segments.length - 1 : parts.length !== segments.length) return null;
  for (const [index, segment] of segments.entries()) {
    const part = parts[index] ?? '';
    if (segment.kind === 'literal' && segment.text !== part) return null;
    if (segment.kind === 'one' && part === '') return null;
  }
  return variables.map(({ field, start, end }) => {
    const taken = parts.slice(start, hasRest && end === segments.length ? parts.length : end);
    return [field, taken.map(decode).join('/')] as const;
  });
}

/** A faulty escape stays as it is. */
function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function malformed(template: string, reason: string): never {
  throw new FlotillaError('invalid', `path template "${template}": ${reason}`);
}
