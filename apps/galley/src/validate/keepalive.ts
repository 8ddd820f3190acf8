import type { Duration } from '@bufbuild/protobuf/wkt';
import type { FaultList, FieldPath } from '@flotilla/model';
import type {
  ConnectionPoolSettings_HTTPSettings as HttpSettings,
  ConnectionPoolSettings_TCPSettings_TcpKeepalive as TcpKeepalive,
} from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';
import { checkDuration, checkNotNegative } from './field.ts';

const MAX_UINT32 = 4_294_967_295n;

/** Keep-alive of TCP is counted in whole seconds by the kernel. */
export function checkTcpKeepalive(keepalive: TcpKeepalive | undefined, path: FieldPath, faults: FaultList): void {
  if (keepalive === undefined) return;
  for (const name of ['time', 'interval'] as const) checkWholeSeconds(keepalive[name], [...path, name], faults);
}

function checkWholeSeconds(duration: Duration | undefined, path: FieldPath, faults: FaultList): void {
  if (duration === undefined) return;
  if (duration.seconds < 1n || duration.seconds > MAX_UINT32) {
    faults.error(path, `must lie between 1s and ${MAX_UINT32}s`);
  }
}

/** Envoy takes keep-alive of HTTP/2 only with the time after which a silent peer is given up. */
export function checkHttp2(http: HttpSettings, path: FieldPath, faults: FaultList): void {
  checkNotNegative(http.maxConcurrentStreams, [...path, 'maxConcurrentStreams'], faults);
  if (http.maxConcurrentStreams > MAX_STREAMS) {
    faults.error([...path, 'maxConcurrentStreams'], `must be at most ${MAX_STREAMS}`);
  }
  const keepalive = http.http2KeepAlive;
  if (keepalive === undefined) return;
  const at = [...path, 'http2KeepAlive'];
  if (keepalive.timeout === undefined) faults.error(at, '"timeout" is missing', 'Say how long to wait for an answer.');
  checkDuration(keepalive.timeout, [...at, 'timeout'], faults);
  checkDuration(keepalive.interval, [...at, 'interval'], faults);
}

/** RFC 9113, section 6.5.2. */
const MAX_STREAMS = 2_147_483_647;
