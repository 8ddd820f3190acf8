export { fuzz, type FuzzSettings } from './fuzz.ts';
export { freePort, freePorts } from './free-ports.ts';
export { findPeer, withPeer, type PeerName } from './peers.ts';
export { runAheadOfOthers } from './priority.ts';
export { startRedisServer, type RedisServer, type RedisServerOptions } from './redis-server.ts';
export { countWork, growthOf } from './counted-work.ts';
