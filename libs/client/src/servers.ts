import { isLoopbackHost, PLAINTEXT_FLAG } from '@flotilla/http-port';
import { FlotillaError } from '@flotilla/runtime';
import { formatSpiffeId, type IdentitySource, splitCertificates } from '@flotilla/spiffe';
import type { RpcTransportOptions } from '@flotilla/rpc/client';

/** The services of a control plane that tools call. */
export type ServiceName = 'galley' | 'pilot' | 'citadel';

/** Where the control plane is, and how to know it. */
export interface MeshOptions {
  /** URL of galley, `https://galley:9901`, or of the one API of an embedded mesh, `http://127.0.0.1:9901`. */
  readonly api: string;
  /** URLs of all pilots. Default: they are behind `api`. */
  readonly pilots?: readonly string[];
  /** Default: it is behind `api`. */
  readonly citadel?: string;
  /** The admin token, for what changes the mesh; a function is asked for each call. */
  readonly token?: string | (() => string | null);
  /** Send the token without TLS to other machines, too. Default: that is refused. */
  readonly allowPlaintext?: boolean;
  /** The mesh's root certificates, PEM. Needed for every `https` URL. */
  readonly rootsPem?: string;
  /** A certificate of the caller's own, in place of a token or beside it. Stays the caller's to close. */
  readonly identity?: Pick<IdentitySource, 'current' | 'subscribe'>;
  /** Of the control plane's own identities. Default `cluster.local`. */
  readonly trustDomain?: string;
  /** Of the control plane's own identities. Default `istio-system`. */
  readonly namespace?: string;
}

/** One URL, with the services that are expected there. */
export interface Server {
  readonly url: string;
  readonly services: readonly ServiceName[];
  readonly transport: RpcTransportOptions;
}

export interface Servers {
  readonly galley: Server;
  readonly citadel: Server;
  /** One at least. */
  readonly pilots: readonly Server[];
}

const HTTP_URL = /^https?:\/\//;

/** Service account of a control plane that is one process. */
const ALL_IN_ONE = 'istiod';

/** Says for each service which server has it, the same object for the same URL. Throws `invalid`. */
export function serversOf(options: MeshOptions): Servers {
  const galley = normalised(options.api);
  const citadel = normalised(options.citadel ?? options.api);
  const named = (options.pilots ?? []).map(normalised);
  const pilots = named.length === 0 ? [galley] : [...new Set(named)];
  const services = new Map<string, ServiceName[]>();
  const expect = (url: string, service: ServiceName) => services.set(url, [...(services.get(url) ?? []), service]);
  expect(galley, 'galley');
  expect(citadel, 'citadel');
  for (const url of pilots) expect(url, 'pilot');
  const servers = new Map([...services].map(([url, names]) => [url, serverAt(url, names, options)]));
  const at = (url: string): Server => servers.get(url) ?? serverAt(url, [], options);
  return { galley: at(galley), citadel: at(citadel), pilots: pilots.map(at) };
}

function serverAt(url: string, services: readonly ServiceName[], options: MeshOptions): Server {
  const token = options.token === undefined || options.token === '' ? {} : { token: options.token };
  if (!url.startsWith('https:')) {
    if ('token' in token && options.allowPlaintext !== true) checkTokenStaysHere(url);
    return { url, services, transport: { url, ...token } };
  }
  const { identity, trustDomain = 'cluster.local', namespace = 'istio-system' } = options;
  const serverSpiffeId = [...services, ALL_IN_ONE].map((serviceAccount) =>
    formatSpiffeId({ trustDomain, namespace, serviceAccount }),
  );
  const tls = {
    serverSpiffeId,
    ...(identity === undefined ? {} : { identity }),
    ...rootsOf(options, url),
  };
  return { url, services, transport: { url, tls, ...token } };
}

/** Throws `invalid` when a token would cross the network for everybody to read. */
function checkTokenStaysHere(url: string): void {
  // An IPv6 address stands in brackets.
  if (URL.canParse(url) && isLoopbackHost(new URL(url).hostname.replace(/^\[(.*)\]$/, '$1'))) return;
  throw new FlotillaError('invalid', `the token would go to ${url} without TLS, for the network to read`, {
    hint: `Use https, or say --${PLAINTEXT_FLAG} (allowPlaintext) if that is meant.`,
  });
}

const ROOTS_HINT = 'Give the root certificate of the mesh as PEM: --ca-roots FILE (rootsPem).';

function rootsOf({ rootsPem, identity }: MeshOptions, url: string): { readonly rootsPem?: string } {
  if (rootsPem === undefined) {
    if (identity !== undefined) return {};
    throw new FlotillaError('invalid', `${url} cannot be verified without the root certificate of the mesh`, {
      hint: ROOTS_HINT,
    });
  }
  try {
    return { rootsPem: splitCertificates(rootsPem).join('') };
  } catch (error) {
    const { message } = FlotillaError.from(error);
    throw new FlotillaError('invalid', `the root certificates: ${message}`, { cause: error, hint: ROOTS_HINT });
  }
}

/** `host:port` is plaintext, as of an embedded mesh. */
function normalised(text: string): string {
  return HTTP_URL.test(text) ? text.replace(/(?<!\/)\/+$/, '') : `http://${text}`;
}
