export { FlotillaError, type ErrorCode, type ErrorOptionsWithHint } from './errors.ts';
export { systemClock, FakeClock, type Clock, type Timer } from './clock.ts';
export { seededRandom, type Random } from './random.ts';
export { Backoff, type BackoffSettings } from './backoff.ts';
export { StopStack } from './stop.ts';
export { parseDurationMs } from './duration.ts';
export { parseAddress, formatAddress, type SocketAddress } from './address.ts';
export { holdYoungGeneration, releaseYoungGeneration } from './young-generation.ts';
export { openWatchdog, type WatchedProcess, type Watchdog } from './watchdog.ts';
