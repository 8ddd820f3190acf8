import type { House, Room } from './room-order.ts';

const folder = (name: string): Room => ({ name, places: [name] });
const folders = (...names: string[]): Room[] => names.map(folder);

/** Every lib, bottom first. */
const LIBS: House = {
  root: 'libs',
  order: folders(
    'runtime',
    'wire',
    'match',
    'model',
    'xds',
    'balance',
    'http-codec',
    'spiffe',
    'envoy',
    'stream',
    'format',
    'route',
    'cluster',
    'policy',
    'decide',
    'sockets',
    'observe',
    'http-port',
    'rpc',
    'identity',
    'client',
    'service',
    'redis',
    'bus',
    'translate',
    'testing',
  ),
};

/** The proxy. A request passes the rooms from `downstream` down to `upstream`; `stack` puts them together. */
const PROXY: House = {
  root: 'apps/proxy/src',
  order: [
    ...folders('sockets', 'protocol', 'base', 'ports', 'identity', 'tls', 'upstream', 'grpc', 'observe'),
    ...folders('http', 'network', 'downstream', 'config', 'bootstrap', 'admin', 'capture'),
    { name: 'stack', places: ['stack.ts'] },
    ...folders('process', 'agent'),
    { name: 'entry', places: ['index.ts', 'main.ts', 'settings.ts'] },
  ],
};

/** What `npm run check` holds: no import from a room into one that stands after it. */
export const HOUSES: readonly House[] = [LIBS, PROXY];
