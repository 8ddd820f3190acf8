import type { HeaderList } from '@flotilla/http-codec';
import type { AcceptedConnection } from '../ports/accepted-connection.ts';

const XFCC = 'x-forwarded-client-cert';

/** What is done with `x-forwarded-client-cert` (Envoy's forward_client_cert_details). */
export interface ClientCertSettings {
  readonly mode: 'sanitize' | 'forward-only' | 'append-forward' | 'sanitize-set' | 'always-forward-only';
  readonly subject: boolean;
  readonly cert: boolean;
  readonly dns: boolean;
  readonly uri: boolean;
}

/** Removes, keeps or writes the header, by the client's verified certificate. */
export function editClientCertHeader(
  headers: HeaderList,
  connection: AcceptedConnection,
  settings: ClientCertSettings,
): void {
  const { mode } = settings;
  if (mode === 'always-forward-only') return;
  if (mode === 'sanitize' || connection.info.tls?.peer == null) {
    headers.remove(XFCC);
    return;
  }
  if (mode === 'forward-only') return;
  const element = elementOf(connection, settings);
  const before = mode === 'append-forward' ? headers.get(XFCC) : undefined;
  headers.set(XFCC, before === undefined || before === '' ? element : `${before},${element}`);
}

// The element of one connection is always the same: made once.
const elements = new WeakMap<AcceptedConnection, string>();

function elementOf(connection: AcceptedConnection, settings: ClientCertSettings): string {
  const known = elements.get(connection);
  if (known !== undefined) return known;
  const { info } = connection;
  const certificate = info.tls?.peer ?? null;
  const parts: string[] = [];
  if (info.localUriSan !== null) parts.push(`By=${info.localUriSan}`);
  if (certificate !== null) {
    parts.push(`Hash=${certificate.sha256}`);
    if (settings.cert) parts.push(`Cert="${encodeURIComponent(certificate.pem)}"`);
    if (settings.subject) parts.push(`Subject="${certificate.subject.replace(/["\\]/g, '\\$&')}"`);
    if (settings.uri) parts.push(...listOf('URI', certificate.names.uri));
    if (settings.dns) parts.push(...listOf('DNS', certificate.names.dns));
  }
  const element = parts.join(';');
  elements.set(connection, element);
  return element;
}

/** Envoy writes one `URI=` even when there is none. */
function listOf(name: string, values: readonly string[]): string[] {
  if (values.length === 0) return name === 'URI' ? ['URI='] : [];
  return values.map((value) => `${name}=${value}`);
}
