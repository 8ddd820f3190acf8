import { FlotillaError, limit } from '@flotilla/runtime';

/** A path template as a regular expression (RE2) for whole paths; group n stands for the n-th variable. */
export interface UriTemplate {
  readonly regex: string;
  readonly variables: readonly string[];
}

/** What a path segment may hold (RFC 3986, pchar), inside a character class. */
const SEGMENT = "a-zA-Z0-9._~%!$&'()+,;:@=*-";
const ONE = `[${SEGMENT}]+`;
const MANY = `[${SEGMENT}/]*`;
const MAX_VARIABLES = limit({
  name: 'match.uri-template-variables',
  what: 'variables of a path template (as Envoy)',
  default: 5,
  unit: 'count',
  past: 'the routes are refused',
});
const MAX_NAME = 16;

/**
 * Reads a template of Envoy's `uri_template` matcher: literals, `*` (some of one segment), `**` (any number of segments,
 * the last operator), `{name}` and `{name=pattern}`. Throws `invalid`.
 */
export function parseUriTemplate(template: string): UriTemplate {
  if (!template.startsWith('/')) throw malformed(template, 'it does not begin with a slash');
  const variables: string[] = [];
  let hasMany = false;
  const pattern = (text: string): string => {
    let regex = '';
    for (const [token] of text.matchAll(/\*\*|\*|[^*]+/g)) {
      if (token.startsWith('*')) {
        if (hasMany) throw malformed(template, '** is not its last operator');
        hasMany = token === '**';
        regex += hasMany ? MANY : ONE;
      } else if (/^[a-zA-Z0-9._~%!$&'()+,;:@=/-]+$/.test(token)) regex += escaped(token);
      else throw malformed(template, `"${token}" cannot stand in a path`);
    }
    return regex;
  };
  let regex = '';
  let at = 0;
  for (const match of template.matchAll(/\{([^{}]*)\}/g)) {
    regex += pattern(template.slice(at, match.index));
    at = match.index + match[0].length;
    const [name = '', ...rest] = (match[1] ?? '').split('=');
    if (!/^[a-zA-Z][a-zA-Z0-9_]*$/.test(name) || name.length > MAX_NAME) {
      throw malformed(template, `"${name}" is no name of a variable`);
    }
    if (variables.includes(name)) throw malformed(template, `"${name}" stands twice`);
    variables.push(name);
    if (variables.length > MAX_VARIABLES) throw malformed(template, `it has more than ${MAX_VARIABLES} variables`);
    const own = match[1]?.includes('=') === true ? rest.join('=') : '*';
    if (own === '') throw malformed(template, `"${name}" has an empty pattern`);
    regex += `(${pattern(own)})`;
  }
  regex += pattern(template.slice(at));
  return { regex, variables };
}

/** The substitution (`\1`) of a rewrite template that uses the variables of `matched`. Throws `invalid`. */
export function uriTemplateSubstitution(rewrite: string, matched: UriTemplate): string {
  if (!rewrite.startsWith('/')) throw malformed(rewrite, 'it does not begin with a slash');
  return rewrite.replaceAll('\\', '\\\\').replace(/\{([^{}]*)\}|[{}*]/g, (token, name: string | undefined) => {
    const index = name === undefined ? -1 : matched.variables.indexOf(name);
    if (index === -1) throw malformed(rewrite, `"${token}" is no variable of the path's template`);
    return `\\${index + 1}`;
  });
}

function escaped(literal: string): string {
  return literal.replace(/[.$()+*]/g, '\\$&');
}

function malformed(template: string, reason: string): FlotillaError {
  return new FlotillaError('invalid', `"${template}" is no path template: ${reason}`);
}
