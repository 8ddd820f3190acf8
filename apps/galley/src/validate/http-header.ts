import { checkFormat } from '@flotilla/envoy/refusals';
import { quote } from '@flotilla/model';
import type { FaultList, FieldPath } from '@flotilla/model';
import { FlotillaError } from '@flotilla/runtime';
import type { Headers } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';

// RFC 9110, section 5.1: field names are tokens.
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// RFC 9110, section 5.5: no control characters but the tab.
const BAD_VALUE = /[\u0000-\u0008\u000a-\u001f\u007f]/;

/** The name of a header to match: a token, or one of HTTP/2's pseudo headers. */
export function checkHeaderName(name: string, path: FieldPath, faults: FaultList): void {
  const token = name.startsWith(':') ? name.slice(1) : name;
  if (!TOKEN.test(token)) faults.unexpected(path, `${quote(name)} is not the name of a header`);
}

/** Header operations of a route or destination. */
export function checkHeaders(headers: Headers | undefined, path: FieldPath, faults: FaultList): void {
  for (const side of ['request', 'response'] as const) {
    const operations = headers?.[side];
    if (operations === undefined) continue;
    for (const verb of ['set', 'add'] as const) {
      for (const [name, value] of Object.entries(operations[verb])) {
        const at = [...path, side, verb, name];
        checkWrittenName(name, verb === 'set', at, 'unexpected', faults);
        checkValue(value, at, faults);
      }
    }
    operations.remove.forEach((name, index) => {
      checkWrittenName(name, false, [...path, side, 'remove', index], 'error', faults);
    });
  }
}

/** A value may have Envoy's command operators in it, so that a per cent sign is written twice. */
function checkValue(value: string, path: FieldPath, faults: FaultList): void {
  if (BAD_VALUE.test(value)) faults.error(path, 'the value has control characters in it');
  try {
    checkFormat(value);
  } catch (error) {
    const { message, hint } = FlotillaError.from(error);
    faults.error(path, message, hint ?? '');
  }
}

/** `:authority` and `host` may be replaced, and no other pseudo header changed. */
function checkWrittenName(
  name: string,
  mayBeAuthority: boolean,
  path: FieldPath,
  report: 'unexpected' | 'error',
  faults: FaultList,
): void {
  if (TOKEN.test(name) || (mayBeAuthority && name === ':authority')) return;
  faults[report](path, `${quote(name)} is not the name of a header that can be changed`);
}
