import { HeaderList, type RequestHead } from '@flotilla/http-codec';

/** Methods that pass unless a connection manager allows custom ones: Envoy's list. */
export const KNOWN_METHODS: ReadonlySet<string> = new Set(
  (
    'ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MOVE MSEARCH ' +
    'NOTIFY OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND ' +
    'UNLINK UNLOCK UNSUBSCRIBE'
  ).split(' '),
);

/** What stands for a head that could not be read, so that its refusal is answered and logged as any request. */
export function unreadableHead(): RequestHead {
  return {
    method: '',
    target: '',
    form: 'origin',
    path: '',
    authority: '',
    host: null,
    scheme: null,
    minorVersion: 1,
    headers: new HeaderList(),
    body: 'none',
    keepAlive: false,
    expectsContinue: false,
    upgrade: null,
  };
}
