import { FlotillaError, limit } from '@flotilla/runtime';
import { compileRegexSubstitution } from '@flotilla/match';
import type { FaultList, FieldPath } from '@flotilla/model';
import type {
  HTTPDirectResponse,
  HTTPRedirect,
  HTTPRewrite,
} from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import { checkPort } from './field.ts';
import { checkRegex } from './string-match.ts';

const REDIRECT_CODES = [301, 302, 303, 307, 308];

export function checkRedirect(redirect: HTTPRedirect | undefined, path: FieldPath, faults: FaultList): void {
  if (redirect === undefined) return;
  const { uri, authority, scheme, prefixRewrite, redirectCode, redirectPort } = redirect;
  const changes = uri !== '' || authority !== '' || scheme !== '' || prefixRewrite !== '';
  if (!changes && redirectPort.case === undefined && redirectCode === 0) {
    faults.error(path, 'the redirect leads back to where it came from', 'Add uri, authority, scheme or port.');
  }
  if (redirectCode !== 0 && !REDIRECT_CODES.includes(redirectCode)) {
    faults.error(
      [...path, 'redirectCode'],
      `${redirectCode} does not redirect`,
      `Allowed: ${REDIRECT_CODES.join(', ')}.`,
    );
  }
  if (scheme !== '' && scheme !== 'http' && scheme !== 'https') {
    faults.error([...path, 'scheme'], `unknown scheme "${scheme}"`, 'Allowed: http, https.');
  }
  if (uri !== '' && prefixRewrite !== '') {
    faults.unexpected([...path, 'prefixRewrite'], 'uri and prefixRewrite exclude each other');
  }
  if (redirectPort.case === 'port') checkPort(redirectPort.value, [...path, 'port'], faults);
}

// What Istio refuses; a proxy keeps a copy of the body per route.
const MAX_BODY_BYTES = limit({
  name: 'galley.direct-response-bytes',
  what: 'body of a direct response of a VirtualService (as Istio)',
  default: 1 << 20,
  unit: 'bytes',
  past: 'the resource is refused',
});

export function checkDirectResponse(
  response: HTTPDirectResponse | undefined,
  path: FieldPath,
  faults: FaultList,
): void {
  if (response === undefined) return;
  if (response.status < 200 || response.status > 599) {
    faults.error([...path, 'status'], `must be a status between 200 and 599, but is ${response.status}`);
  }
  const body = response.body?.specifier;
  if (body !== undefined && body.case === undefined)
    faults.error([...path, 'body'], 'is empty', 'Add string or bytes.');
  const byteLength = body?.case === 'string' ? Buffer.byteLength(body.value) : (body?.value?.length ?? 0);
  if (byteLength > MAX_BODY_BYTES) {
    faults.error([...path, 'body'], `has ${byteLength} bytes, more than the ${MAX_BODY_BYTES} allowed`);
  }
}

export function checkRewrite(rewrite: HTTPRewrite | undefined, path: FieldPath, faults: FaultList): void {
  if (rewrite === undefined) return;
  const { uri, authority, uriRegexRewrite } = rewrite;
  if (uri === '' && authority === '' && uriRegexRewrite === undefined) {
    faults.error(path, 'rewrites nothing', 'Add uri, uriRegexRewrite or authority.');
  }
  if (uriRegexRewrite === undefined) return;
  const at = [...path, 'uriRegexRewrite'];
  if (uri !== '') faults.unexpected(at, 'uri and uriRegexRewrite exclude each other');
  const before = faults.size;
  checkRegex(uriRegexRewrite.match, [...at, 'match'], faults);
  if (faults.size > before) return;
  try {
    compileRegexSubstitution({ regex: uriRegexRewrite.match, substitution: uriRegexRewrite.rewrite });
  } catch (error) {
    const { message, hint } = FlotillaError.from(error);
    faults.error([...at, 'rewrite'], message, hint ?? '');
  }
}
