import type { GrpcCluster } from '../ports/grpc-cluster.ts';
import { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { checkServerIdentity, type ConnectionOptions, type PeerCertificate, type TLSSocket } from 'node:tls';
import { durationMs } from '@bufbuild/protobuf/wkt';
import { compileStringMatcher, type StringPredicate } from '@flotilla/match';
import { type GrpcConnection, openGrpcConnection } from '@flotilla/rpc/client';
import { type Clock, FlotillaError } from '@flotilla/runtime';
import { closeFollows } from '@flotilla/sockets/errors';
import { connectTcp } from '@flotilla/sockets/tcp';
import { connectTls } from '@flotilla/sockets/tls';
import { svidFault, uriSanOf } from '@flotilla/spiffe';
import type { Cluster } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import type { TransportSocket } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import { UpstreamTlsContextSchema } from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import { stringMatchOf, unpackValid } from '@flotilla/envoy';
import { compileTlsParameters } from '../tls/tls-parameters.ts';
import { readText } from '../base/data-source.ts';
import type { Secret, SecretHolder, SecretStore } from '../ports/secret-store.ts';

export type { GrpcConnection };

type Target = { readonly host: string; readonly port: number } | { readonly path: string };

const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;
/** A control plane that stands still or is cut off is noticed after the sum of both; Istio's allows a PING in 15 s. */
const PING_INTERVAL_MS = 20_000;
const PING_TIMEOUT_MS = 10_000;
const MAX_PING_INTERVAL_MS = 300_000;

/**
 * Compiles a cluster for use as a gRPC target: its endpoints (addresses, host names or Unix sockets) and its TLS
 * context. Each connection uses the certificate in force at that time. Throws `invalid`.
 */
export function compileGrpcCluster(cluster: Cluster, secrets: SecretStore, clock: Clock): GrpcCluster {
  const targets = targetsOf(cluster);
  const security = cluster.transportSocket === undefined ? null : compileTls(cluster.transportSocket, secrets);
  const timeoutMs =
    cluster.connectTimeout === undefined ? DEFAULT_CONNECT_TIMEOUT_MS : durationMs(cluster.connectTimeout);
  let next = 0;
  let pingIntervalMs = PING_INTERVAL_MS;
  return {
    async connect(signal) {
      const target = targets[next++ % targets.length];
      if (target === undefined) throw new FlotillaError('invalid', `cluster "${cluster.name}" has no endpoints`);
      const where = 'path' in target ? target.path : `${target.host}:${target.port}`;
      if (security !== null) await security.ready(signal);
      const authority = `${security === null ? 'http' : 'https'}://${'path' in target ? 'localhost' : hostPort(target)}`;
      try {
        return await openGrpcConnection({
          authority,
          connect: () => openSocket(target, security, timeoutMs, clock),
          keepAlive: { intervalMs: pingIntervalMs, timeoutMs: PING_TIMEOUT_MS },
          clock,
          onTooManyPings: () => (pingIntervalMs = Math.min(2 * pingIntervalMs, MAX_PING_INTERVAL_MS)),
          signal,
        });
      } catch (error) {
        throw FlotillaError.from(error, 'unavailable').within(`cluster "${cluster.name}" at ${where}`);
      }
    },
  };
}

function targetsOf(cluster: Cluster): Target[] {
  const targets: Target[] = [];
  for (const { lbEndpoints } of cluster.loadAssignment?.endpoints ?? []) {
    for (const { hostIdentifier } of lbEndpoints) {
      const address = hostIdentifier.case === 'endpoint' ? hostIdentifier.value.address?.address : undefined;
      if (address?.case === 'pipe') targets.push({ path: address.value.path });
      else if (address?.case === 'socketAddress' && address.value.portSpecifier.case === 'portValue') {
        targets.push({ host: address.value.address, port: address.value.portSpecifier.value });
      } else {
        throw new FlotillaError(
          'invalid',
          `cluster "${cluster.name}": an endpoint has neither socket address nor pipe`,
        );
      }
    }
  }
  if (targets.length === 0) throw new FlotillaError('invalid', `cluster "${cluster.name}" has no endpoints`);
  return targets;
}

/** The time is for all of it, so that a peer that sends a byte now and then is late as well. */
function openSocket(target: Target, security: TlsClient | null, timeoutMs: number, clock: Clock): Socket {
  const socket = security === null ? connectTcp(target, closeFollows) : security.connect(target);
  const timer = clock.after(timeoutMs, () => socket.destroy(new Error(`no connection within ${timeoutMs} ms`)));
  socket.once(security === null ? 'connect' : 'secureConnect', () => timer.cancel());
  socket.once('close', () => timer.cancel());
  return socket;
}

interface TlsClient {
  /** Resolves when every secret it needs is there. */
  ready(signal: AbortSignal): Promise<void>;
  connect(target: Target): TLSSocket;
}

/** The name of its table, which honours less than that of other clusters. */
const CONTROL_PLANE_TLS = `${UpstreamTlsContextSchema.typeName} (of a control plane)`;

function compileTls(socket: TransportSocket, secrets: SecretStore): TlsClient {
  const any = socket.configType.value;
  const context = any === undefined ? undefined : unpackValid(any, UpstreamTlsContextSchema, CONTROL_PLANE_TLS);
  if (context === undefined) throw new FlotillaError('invalid', `transport socket "${socket.name}" is not TLS`);
  const common = context.commonTlsContext;
  const [ownSds] = common?.tlsCertificateSdsSecretConfigs ?? [];
  const [ownInline] = common?.tlsCertificates ?? [];
  const validation = common?.validationContextType;
  const combined = validation?.case === 'combinedValidationContext' ? validation.value : undefined;
  const rules = validation?.case === 'validationContext' ? validation.value : combined?.defaultValidationContext;
  const trustName =
    validation?.case === 'validationContextSdsSecretConfig'
      ? validation.value.name
      : combined?.validationContextSdsSecretConfig?.name;
  const parameters = compileTlsParameters(common?.tlsParams, 'common_tls_context.tls_params');
  const own = ownSds === undefined ? null : secrets.holder(ownSds.name);
  const trust = trustName === undefined ? null : secrets.holder(trustName);
  const fixedCa = rules?.trustedCa === undefined ? null : readText(rules.trustedCa, 'trusted_ca');
  if (trust === null && fixedCa === null) {
    throw new FlotillaError('invalid', 'a control-plane cluster with TLS needs a trusted CA');
  }
  const fixedPair =
    ownInline?.certificateChain === undefined || ownInline.privateKey === undefined
      ? null
      : {
          cert: readText(ownInline.certificateChain, 'certificate_chain'),
          key: readText(ownInline.privateKey, 'private_key'),
        };
  const sans = (rules?.matchTypedSubjectAltNames ?? []).map((matcher, index) =>
    compileStringMatcher(stringMatchOf(matcher.matcher, `match_typed_subject_alt_names[${index}]`)),
  );
  return {
    async ready(signal) {
      for (const holder of [own, trust]) if (holder !== null) await present(holder, signal);
    },
    connect(target) {
      const pair = own?.current();
      const anchors = trust?.current();
      const options: ConnectionOptions = {
        ...target,
        ALPNProtocols: ['h2'],
        ...parameters,
        ...(context.sni === '' ? {} : { servername: context.sni }),
        ca: anchors?.kind === 'validation' ? anchors.trustedCaPem : (fixedCa ?? []),
        ...(pair?.kind === 'certificate' ? { cert: pair.chainPem, key: pair.privateKeyPem } : (fixedPair ?? {})),
        checkServerIdentity: (host, certificate) => checkPeer(host, certificate, sans),
      };
      return connectTls(options, closeFollows);
    },
  };
}

/** With SAN rules one URI or DNS name must match; without, the name that was dialled counts (RFC 6125). */
function checkPeer(host: string, certificate: PeerCertificate, sans: readonly StringPredicate[]): Error | undefined {
  if (sans.length === 0) return checkServerIdentity(host, certificate);
  const read = new X509Certificate(certificate.raw);
  const fault = svidFault(read);
  if (fault !== null)
    return new Error(`the server's certificate (${read.subjectAltName}) is no SPIFFE identity: ${fault}`);
  const uri = uriSanOf(read);
  const names = (certificate.subjectaltname ?? '')
    .split(', ')
    .filter((name) => name.startsWith('DNS:'))
    .map((name) => name.slice('DNS:'.length));
  if (uri !== null) names.push(uri);
  if (names.some((name) => sans.some((matches) => matches(name)))) return undefined;
  return new Error(`the server's certificate has none of the expected names; it has ${names.join(', ') || 'none'}`);
}

function present(holder: SecretHolder, signal: AbortSignal): Promise<Secret> {
  const current = holder.current();
  if (current !== null) return Promise.resolve(current);
  return new Promise((resolve, reject) => {
    const stop = holder.subscribe(() => {
      const value = holder.current();
      if (value === null) return;
      stop();
      resolve(value);
    });
    signal.addEventListener('abort', () => {
      stop();
      reject(new FlotillaError('unavailable', `secret "${holder.name}" has not arrived`));
    });
  });
}

function hostPort(target: { readonly host: string; readonly port: number }): string {
  return `${target.host.includes(':') ? `[${target.host}]` : target.host}:${target.port}`;
}
