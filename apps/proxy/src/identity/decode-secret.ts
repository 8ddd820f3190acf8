import { createPrivateKey, X509Certificate } from 'node:crypto';
import { FlotillaError } from '@flotilla/runtime';
import type { TlsCertificate } from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import type { Secret as SecretConfig } from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
import { readText } from '../base/data-source.ts';
import type { Secret } from '../ports/secret-store.ts';

/** Reads an SDS or bootstrap secret. Throws `invalid` for kinds other than certificates and trust anchors, and for bad PEM. */
export function decodeSecret(config: SecretConfig): Secret {
  try {
    switch (config.type.case) {
      case 'tlsCertificate':
        return decodeCertificate(config.type.value);
      case 'validationContext': {
        const { trustedCa } = config.type.value;
        if (trustedCa === undefined) throw new FlotillaError('invalid', 'validation_context has no trusted_ca');
        const trustedCaPem = readText(trustedCa, 'trusted_ca');
        checkCertificates(trustedCaPem, 'trusted_ca');
        return { kind: 'validation', trustedCaPem };
      }
      default:
        throw new FlotillaError('invalid', 'type: is missing: set tls_certificate or validation_context');
    }
  } catch (error) {
    throw FlotillaError.from(error).within(`secret "${config.name}"`);
  }
}

function decodeCertificate(config: TlsCertificate): Secret {
  if (config.certificateChain === undefined || config.privateKey === undefined) {
    throw new FlotillaError('invalid', 'tls_certificate needs certificate_chain and private_key');
  }
  if (config.password !== undefined) throw new FlotillaError('invalid', 'tls_certificate.password is not supported');
  const chainPem = readText(config.certificateChain, 'certificate_chain');
  const privateKeyPem = readText(config.privateKey, 'private_key');
  const leaf = checkCertificates(chainPem, 'certificate_chain');
  let matches: boolean;
  try {
    matches = leaf.checkPrivateKey(createPrivateKey(privateKeyPem));
  } catch {
    // The cause may quote the key.
    throw new FlotillaError('invalid', 'private_key is not a private key in PEM');
  }
  if (!matches) throw new FlotillaError('invalid', 'private_key does not belong to certificate_chain');
  return { kind: 'certificate', chainPem, privateKeyPem };
}

function checkCertificates(pem: string, field: string): X509Certificate {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  try {
    const [leaf] = blocks.map((block) => new X509Certificate(block));
    if (leaf !== undefined) return leaf;
  } catch (error) {
    throw new FlotillaError('invalid', `${field} is not a certificate in PEM`, { cause: error });
  }
  throw new FlotillaError('invalid', `${field} holds no certificate in PEM`);
}
