import type { ConnectRouter } from '@connectrpc/connect';
import type { JsonObject } from '@bufbuild/protobuf';
import { FlotillaError } from '@flotilla/runtime';
import { callerOf } from '@flotilla/rpc/server';
import { IstioCertificateService } from '@flotilla/wire/istio/v1/auth/ca_pb.js';
import { issueCertificate, type Issuing } from '../issue.ts';

/**
 * The API that Istio's own agents call: validity in seconds (0: the default), and a chain from the leaf to the root.
 * `metadata` chooses a signer or an impersonated identity in Istio; there is neither here, so it must be empty.
 */
export function routeIstioCertificateService(router: ConnectRouter, issuing: Issuing): void {
  router.service(IstioCertificateService, {
    async createCertificate({ csr, validityDuration, metadata }, context) {
      refuseMetadata(metadata);
      const issued = await issueCertificate(issuing, callerOf(context), csr, Number(validityDuration) * 1000);
      return { certChain: [issued.pem, issuing.slots.current.certificatePem] };
    },
  });
}

/** Istio's agents send known keys with empty values when nothing is configured. */
function refuseMetadata(metadata: JsonObject | undefined): void {
  const set = Object.entries(metadata ?? {}).find(([, value]) => value !== '' && value !== null);
  if (set === undefined) return;
  throw new FlotillaError(
    'invalid',
    `metadata "${set[0]}" is not supported: there is one signer, and no impersonation`,
  );
}
