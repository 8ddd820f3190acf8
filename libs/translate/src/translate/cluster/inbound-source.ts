import type { BindConfigSchema } from '@flotilla/wire/envoy/config/core/v3/address_pb.js';
import type { AddressFamilies } from '../../mesh/proxy-node.ts';
import type { Init } from '../protobuf.ts';

const anyPort = (address: string) => ({ address, portSpecifier: { case: 'portValue' as const, value: 0 } });

/** Interception leaves connections from these addresses alone (Istio's choice). */
const IPV4 = anyPort('127.0.0.6');
const IPV6 = anyPort('::6');

/** Source of connections from proxy to application, any port; by the family of the destination where there are both. */
export function inboundSource(families: AddressFamilies): Init<typeof BindConfigSchema> {
  if (families === 'IPv6') return { sourceAddress: IPV6 };
  return {
    sourceAddress: IPV4,
    ...(families === 'dual' ? { extraSourceAddresses: [{ address: IPV6 }] } : {}),
  };
}
