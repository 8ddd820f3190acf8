import { durationMs } from '@bufbuild/protobuf/wkt';
import type { Duration } from '@bufbuild/protobuf/wkt';
import { protocolByName, quote } from '@flotilla/model';
import type { FaultList, FieldPath } from '@flotilla/model';

/** A hundred years. Proxies count in nanoseconds, of which 64 bits hold three times as many, and add. */
const MAX_DURATION_MS = 876_000 * 3_600_000;

/** A duration of at least one millisecond, where there is one: the finest that proxies count in. */
export function checkDuration(duration: Duration | undefined, path: FieldPath, faults: FaultList): void {
  if (duration === undefined) return;
  if (durationMs(duration) < 1) faults.error(path, 'must be at least 1ms');
  if (durationMs(duration) > MAX_DURATION_MS) faults.error(path, 'must be at most 876000h');
}

export function checkNotNegative(value: number, path: FieldPath, faults: FaultList): void {
  if (value < 0) faults.error(path, `must be 0 or more, but is ${value}`);
}

export function checkPort(port: number, path: FieldPath, faults: FaultList): void {
  if (port < 1 || port > 65_535) faults.error(path, `must be a port between 1 and 65535, but is ${port}`);
}

/** Percentages of faults and mirrors. */
export function checkPercent(value: number | undefined, path: FieldPath, faults: FaultList): void {
  if (value !== undefined && (value < 0 || value > 100))
    faults.error(path, `must lie between 0 and 100, but is ${value}`);
}

const PROTOCOLS = 'HTTP, HTTP2, GRPC, GRPC-Web, HTTPS, TLS, TCP, MONGO, MYSQL, REDIS, UDP';

/** A protocol of a port in Gateway, ServiceEntry or Sidecar. "" is left to sniffing. */
export function checkProtocol(protocol: string, path: FieldPath, faults: FaultList): void {
  // Here the whole word counts; a suffix is for port names.
  const known = protocolByName(protocol);
  if (protocol !== '' && (known === null || (protocol.includes('-') && known !== 'GRPC-Web'))) {
    faults.error(path, `unknown protocol ${quote(protocol)}`, `Allowed: ${PROTOCOLS}.`);
  }
}

/** Faults for each name that an earlier entry has. */
export function checkUnique(
  names: readonly string[],
  pathOf: (index: number) => FieldPath,
  what: string,
  faults: FaultList,
): void {
  const seen = new Set<string>();
  names.forEach((name, index) => {
    if (name === '') return;
    if (seen.has(name)) faults.error(pathOf(index), `the ${what} ${quote(name)} is written twice`);
    seen.add(name);
  });
}
