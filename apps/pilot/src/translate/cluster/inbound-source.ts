import type { SocketAddressSchema } from '@flotilla/wire/envoy/config/core/v3/address_pb.js';
import type { Init } from '../protobuf.ts';

/** Source of connections from proxy to application, any port: interception leaves that address alone (Istio's choice). */
export const INBOUND_SOURCE: Init<typeof SocketAddressSchema> = {
  address: '127.0.0.6',
  portSpecifier: { case: 'portValue', value: 0 },
};
