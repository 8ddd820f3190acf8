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

/** What `npm run check` holds: no import from a room into one that stands after it. */
export const HOUSES: readonly House[] = [LIBS];
