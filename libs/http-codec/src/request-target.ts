import { TARGET } from './character-class.ts';

/** The four forms of a request target (RFC 9112, section 3.2). */
export type TargetForm = 'origin' | 'absolute' | 'authority' | 'asterisk';

export interface RequestTarget {
  readonly form: TargetForm;
  /** Path with query; empty in authority form, `*` in asterisk form. */
  readonly path: string;
  /** From the target itself, null in origin and asterisk form. */
  readonly authority: string | null;
  /** Lower-case, null unless in absolute form. */
  readonly scheme: string | null;
}

const SLASH = 0x2f;

/** Reads a target that is not in origin form; null where it is none of the four. */
export function parseRequestTarget(method: string, target: string): RequestTarget | null {
  if (target === '*') {
    return method === 'OPTIONS' ? { form: 'asterisk', path: '*', authority: null, scheme: null } : null;
  }
  if (method === 'CONNECT') {
    if (!/^(?:\[[0-9a-fA-F:.]+\]|[^@/?#:[\]]+):\d{1,5}$/.test(target)) return null;
    return { form: 'authority', path: '', authority: target, scheme: null };
  }
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)([/?#].*)?$/.exec(target);
  if (match === null) return null;
  const [, scheme = '', authority = '', rest = ''] = match;
  // User information in a target is a phishing device and never part of an authority (RFC 9110, section 4.2.4).
  if (authority === '' || authority.includes('@')) return null;
  return {
    form: 'absolute',
    path: rest.startsWith('/') ? rest : `/${rest}`,
    authority,
    scheme: scheme.toLowerCase(),
  };
}

/** Whether every character of `text` between `start` and `end` may stand in a target. */
export function isTargetText(text: string, start: number, end: number): boolean {
  for (let index = start; index < end; index++) if (TARGET[text.charCodeAt(index)] !== 1) return false;
  return true;
}

export function isOriginForm(target: string): boolean {
  return target.charCodeAt(0) === SLASH;
}
