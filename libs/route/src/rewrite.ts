import {
  compileRegexSubstitution,
  parseUriTemplate,
  pathEnd,
  pathOnly,
  uriTemplateSubstitution,
} from '@flotilla/match';
import type { TypedExtensionConfig } from '@flotilla/wire/envoy/config/core/v3/extension_pb.js';
import { UriTemplateRewriteConfigSchema } from '@flotilla/wire/envoy/extensions/path/rewrite/uri_template/v3/uri_template_rewrite_pb.js';
import type { RegexMatchAndSubstitute } from '@flotilla/wire/envoy/type/matcher/v3/regex_pb.js';
import { inField, refuse, unpackValid } from '@flotilla/envoy';
import type { CompiledMatch } from './request-match.ts';

/** Gives the path, query included, as it goes on. */
export type PathRewrite = (pathWithQuery: string) => string;

/**
 * Replaces what the route's path rule matched: a prefix by the new prefix, an exact path or a regex match as a
 * whole. The query stays.
 */
export function compilePrefixRewrite(matched: CompiledMatch['path'], replacement: string): PathRewrite {
  if (matched.kind === 'prefix' || matched.kind === 'separated-prefix') {
    const { length } = matched.value;
    return (path) => replacement + path.slice(length);
  }
  return (path) => replacement + path.slice(pathEnd(path));
}

/** Compiles `RegexMatchAndSubstitute` into a rewrite of the path; the query stays. */
export function compileRegexRewrite(rule: RegexMatchAndSubstitute, path: string): PathRewrite {
  const substitute = compileSubstitute(rule, path);
  return (text) => {
    const end = pathEnd(text);
    return substitute(text.slice(0, end)) + text.slice(end);
  };
}

/** Compiles `path_rewrite_policy`: a template with the variables of the one that the route matches by. */
export function compileTemplateRewrite(
  { name, typedConfig }: TypedExtensionConfig,
  matched: CompiledMatch['path'],
  path: string,
): PathRewrite {
  const config = typedConfig === undefined ? undefined : unpackValid(typedConfig, UriTemplateRewriteConfigSchema);
  if (config === undefined) return refuse(path, `"${name}" is not supported`);
  if (matched.kind !== 'template') return refuse(path, 'needs a path_match_policy with a template');
  const template = parseUriTemplate(matched.value);
  const substitute = inField(path, () =>
    compileRegexSubstitution({
      regex: `^${template.regex}$`,
      substitution: uriTemplateSubstitution(config.pathTemplateRewrite, template),
    }),
  );
  return (text) => {
    const end = pathEnd(text);
    return substitute(text.slice(0, end)) + text.slice(end);
  };
}

/** Gives an authority computed from the path without query. */
export function compileHostFromPath(rule: RegexMatchAndSubstitute, path: string): PathRewrite {
  const substitute = compileSubstitute(rule, path);
  return (text) => substitute(pathOnly(text));
}

function compileSubstitute(rule: RegexMatchAndSubstitute, path: string): (text: string) => string {
  const { pattern, substitution } = rule;
  if (pattern === undefined) return refuse(`${path}.pattern`, 'is missing');
  return inField(path, () => compileRegexSubstitution({ regex: pattern.regex, substitution }));
}
