import { FlotillaError, limit } from '@flotilla/runtime';

/** A workload identity in the form Istio gives it: `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`. */
export interface SpiffeId {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

// SPIFFE-ID, section 2: the trust domain is lower case, at most 255 bytes; a whole ID is at most 2048 bytes.
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;
const PATH_SEGMENT = /^[a-zA-Z0-9._-]+$/;
const MAX_BYTES = limit({
  name: 'identity.spiffe-id-bytes',
  what: 'a SPIFFE ID',
  default: 2048,
  unit: 'bytes',
  past: 'refused as invalid',
});

/**
 * Reads a SPIFFE ID by the letter of the specification (no port, user, query, fragment, percent-encoding, empty or
 * dot segment) with Istio's path. Throws `invalid` for anything else.
 */
export function parseSpiffeId(uri: string): SpiffeId {
  const fault = (why: string) =>
    new FlotillaError('invalid', `"${uri.slice(0, 300)}" is not a workload identity: ${why}`, {
      hint: 'Write spiffe://<trust domain>/ns/<namespace>/sa/<service account>.',
    });
  if (!uri.startsWith('spiffe://')) throw fault('it does not start with spiffe://');
  if (uri.length > MAX_BYTES) throw fault(`it is longer than ${MAX_BYTES} bytes`);
  const [trustDomain = '', ...segments] = uri.slice('spiffe://'.length).split('/');
  const [ns, namespace = '', sa, serviceAccount = ''] = segments;
  if (segments.length !== 4 || ns !== 'ns' || sa !== 'sa') throw fault('its path is not /ns/…/sa/…');
  return checkedSpiffeId({ trustDomain, namespace, serviceAccount }, fault);
}

/** The inverse of `parseSpiffeId`. Throws `invalid` when a part holds a character that an ID must not have. */
export function formatSpiffeId(id: SpiffeId): string {
  const uri = `spiffe://${id.trustDomain}/ns/${id.namespace}/sa/${id.serviceAccount}`;
  const fault = (why: string) =>
    new FlotillaError('invalid', `"${uri.slice(0, 300)}" is not a workload identity: ${why}`);
  checkedSpiffeId(id, fault);
  if (uri.length > MAX_BYTES) throw fault(`it is longer than ${MAX_BYTES} bytes`);
  return uri;
}

/** Whether this text may be the name of a trust domain. */
export function isTrustDomain(text: string): boolean {
  return TRUST_DOMAIN.test(text);
}

function checkedSpiffeId(id: SpiffeId, fault: (why: string) => FlotillaError): SpiffeId {
  if (!isTrustDomain(id.trustDomain)) throw fault('its trust domain may hold only a-z, 0-9, ".", "-" and "_"');
  for (const segment of [id.namespace, id.serviceAccount]) {
    if (!PATH_SEGMENT.test(segment) || segment === '.' || segment === '..') {
      throw fault('namespace and service account may hold only letters, digits, ".", "-" and "_"');
    }
  }
  return id;
}
