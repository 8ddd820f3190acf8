import { isPrime } from '@flotilla/envoy/refusals';
import type { FaultList, FieldPath } from '@flotilla/model';
import type { LoadBalancerSettings_ConsistentHashLB as ConsistentHash } from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';
import { checkHeaderName } from './http-header.ts';

/** Envoy's bounds. */
const MAX_RING_SIZE = 8_388_608n;
const MAX_TABLE_SIZE = 5_000_011n;

/** Rules of `consistentHash`: something to hash by that can be, and tables of a size that proxies take. */
export function checkConsistentHash(settings: ConsistentHash, path: FieldPath, faults: FaultList): void {
  const { hashKey, hashAlgorithm, minimumRingSize } = settings;
  if (hashKey.case === 'httpHeaderName') checkHeaderName(hashKey.value, [...path, 'httpHeaderName'], faults);
  if (hashKey.case === 'httpQueryParameterName' && hashKey.value === '') {
    faults.error([...path, 'httpQueryParameterName'], 'is empty');
  }
  if (hashKey.case === 'httpCookie' && hashKey.value.name === '') {
    faults.error([...path, 'httpCookie'], '"name" is missing');
  }
  checkRingSize(minimumRingSize, [...path, 'minimumRingSize'], faults);
  if (hashAlgorithm.case === 'ringHash') {
    checkRingSize(hashAlgorithm.value.minimumRingSize, [...path, 'ringHash', 'minimumRingSize'], faults);
  }
  if (hashAlgorithm.case !== 'maglev') return;
  const { tableSize } = hashAlgorithm.value;
  const at = [...path, 'maglev', 'tableSize'];
  if (tableSize > MAX_TABLE_SIZE) faults.error(at, `must be at most ${MAX_TABLE_SIZE}, but is ${tableSize}`);
  else if (tableSize !== 0n && !isPrime(Number(tableSize))) {
    faults.error(at, `must be a prime number, but is ${tableSize}`, 'Such as 65537.');
  }
}

function checkRingSize(size: bigint, path: FieldPath, faults: FaultList): void {
  if (size > MAX_RING_SIZE) faults.error(path, `must be at most ${MAX_RING_SIZE}, but is ${size}`);
}
