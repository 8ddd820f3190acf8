import { status } from '@grpc/grpc-js';
import type { FlotillaError } from '@flotilla/runtime';

/** The gRPC status with which an error ends a stream. */
export function statusOf(error: FlotillaError): status {
  switch (error.code) {
    case 'invalid':
      return status.INVALID_ARGUMENT;
    case 'unauthenticated':
      return status.UNAUTHENTICATED;
    case 'forbidden':
      return status.PERMISSION_DENIED;
    case 'unavailable':
      return status.UNAVAILABLE;
    case 'exhausted':
      return status.RESOURCE_EXHAUSTED;
    default:
      return status.INTERNAL;
  }
}
