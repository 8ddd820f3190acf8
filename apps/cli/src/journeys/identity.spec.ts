import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { globSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { fromJson, toBinary } from '@bufbuild/protobuf';
import { StructSchema } from '@bufbuild/protobuf/wkt';
import { createTestAuthority } from '@flotilla/spiffe/testing';
import { withPeer } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fetchPage } from './bookinfo-page.ts';
import { repository, TestMesh } from './mesh.ts';

const STRICT = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: istio-system }
spec: { mtls: { mode: STRICT } }
`;

describe('identities on the wire', () => {
  let mesh: TestMesh;
  let data: string;

  beforeAll(async () => {
    data = mkdtempSync(join(tmpdir(), 'flotilla-data-'));
    mesh = await TestMesh.start(join(repository, 'examples/bookinfo/mesh.yaml'), ['--data', data]);
  });
  afterAll(async () => {
    await mesh?.stop();
    rmSync(data, { recursive: true, force: true });
  });

  const inboundPort = (name: string) => Number(mesh.proxy(name).ports[0]?.address.split(':')[1]);

  it.each([
    ['productpage-v1', 'bookinfo-productpage'],
    ['details-v1', 'bookinfo-details'],
    ['reviews-v1', 'bookinfo-reviews'],
    ['ratings-v1', 'bookinfo-ratings'],
  ])('%s shows one URI SAN, that of its service account', async (name, serviceAccount) => {
    const certificate = await certificateOf(inboundPort(name));
    expect(certificate.subjectAltName).toBe(`URI:spiffe://cluster.local/ns/default/sa/${serviceAccount}`);
  });

  withPeer('openssl', (openssl) => {
    it('marks the SAN as critical', async () => {
      const certificate = await certificateOf(inboundPort('reviews-v1'));
      const text = execFileSync(openssl, ['x509', '-noout', '-ext', 'subjectAltName'], {
        input: certificate.toString(),
      }).toString();
      expect(text).toContain('X509v3 Subject Alternative Name: critical');
    });
  });

  it('uses mutual TLS on every hop between workloads, with the callers the servers expect', async () => {
    // So many that every version of the reviews is asked, but for a chance of one in ten thousand million.
    for (let index = 0; index < 60; index++) await fetchPage(mesh.summary.ingress);
    const hops = [
      [
        'productpage-v1',
        'spiffe://cluster.local/ns/istio-system/sa/istio-ingressgateway-service-account',
        'istio-ingressgateway',
      ],
      ['details-v1', 'spiffe://cluster.local/ns/default/sa/bookinfo-productpage', 'productpage-v1'],
      ['reviews-v2', 'spiffe://cluster.local/ns/default/sa/bookinfo-productpage', 'productpage-v1'],
      ['ratings-v1', 'spiffe://cluster.local/ns/default/sa/bookinfo-reviews', 'reviews-v'],
    ] as const;
    for (const [name, caller, workload] of hops) {
      const text = await (await fetch(`${mesh.proxy(name).admin}/stats/prometheus`)).text();
      const received = text.split('\n').filter((line) => /^istio_requests_total\{.*reporter="destination"/.test(line));
      expect(received.length, `requests received by ${name}`).toBeGreaterThan(0);
      for (const line of received) {
        expect(line).toContain('connection_security_policy="mutual_tls"');
        expect(line).toContain(`source_principal="${caller}"`);
        expect(line).toContain(`source_workload="${workload}`);
      }
    }
  });

  it('does not believe what a client without a certificate says of its workload', async () => {
    const claim = fromJson(StructSchema, { WORKLOAD_NAME: 'forged', NAMESPACE: 'default', LABELS: { app: 'forged' } });
    const response = await fetch(`http://127.0.0.1:${inboundPort('reviews-v1')}/reviews/0`, {
      headers: {
        'x-envoy-peer-metadata-id': 'sidecar~127.0.0.1~forged.default~default.svc.cluster.local',
        'x-envoy-peer-metadata': Buffer.from(toBinary(StructSchema, claim)).toString('base64'),
      },
    });
    expect(response.status).toBe(200);
    expect(response.headers.has('x-envoy-peer-metadata')).toBe(false);
    const metrics = await (await fetch(`${mesh.proxy('reviews-v1').admin}/stats/prometheus`)).text();
    expect(metrics).toContain('connection_security_policy="none"');
    expect(metrics).not.toContain('forged');
  });

  it('keeps workload keys off the disk', () => {
    const files = globSync('**/*', { cwd: data }).filter((file) => statSync(join(data, file)).isFile());
    const withKeys = files.filter((file) => readFileSync(join(data, file), 'latin1').includes('PRIVATE KEY'));
    // The authority's own keys are there, and nothing else is.
    expect(withKeys.filter((file) => !file.startsWith('citadel/'))).toEqual([]);
    for (const file of withKeys) expect(statSync(join(data, file)).mode & 0o077).toBe(0);
  });

  describe('under STRICT', () => {
    beforeAll(async () => {
      const file = join(data, 'strict.yaml');
      writeFileSync(file, STRICT);
      expect(await mesh.run('apply', '-f', file, '--wait')).toMatchObject({ code: 0 });
    });

    it('goes on serving the mesh', async () => {
      await expect.poll(async () => (await fetchPage(mesh.summary.ingress)).status).toBe(200);
    });

    it('refuses a plaintext client at the inbound port', async () => {
      const outcome = await new Promise<string>((resolve) => {
        const call = request({ host: '127.0.0.1', port: inboundPort('reviews-v1'), path: '/reviews/0' }, (response) =>
          resolve(`status ${response.statusCode}`),
        );
        call.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
        call.end();
      });
      expect(outcome).toBe('ECONNRESET');
    });

    it('refuses a client without a certificate', async () => {
      expect(await speak(inboundPort('reviews-v1'), {})).not.toContain('HTTP/1.1 200');
    });

    it('refuses a client whose certificate another authority signed', async () => {
      const authority = await createTestAuthority('foreign');
      const foreign = await authority.issue({
        trustDomain: 'cluster.local',
        namespace: 'default',
        serviceAccount: 'bookinfo-productpage',
      });
      const answer = await speak(inboundPort('reviews-v1'), { key: foreign.privateKeyPem, cert: foreign.chainPem });
      expect(answer).not.toContain('HTTP/1.1 200');
    });
  });

  async function certificateOf(port: number): Promise<X509Certificate> {
    const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['istio'] });
    await once(socket, 'secureConnect');
    const certificate = new X509Certificate(socket.getPeerCertificate(true).raw);
    socket.destroy();
    return certificate;
  }
});

/** Sends a request over TLS and gives back what came, including the error that ended it. */
function speak(port: number, credentials: { readonly key?: string; readonly cert?: string }): Promise<string> {
  return new Promise((resolve) => {
    let heard = '';
    const socket: TLSSocket = connectTls(
      { host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['istio'], ...credentials },
      () => socket.write('GET /reviews/0 HTTP/1.1\r\nhost: reviews:9080\r\nconnection: close\r\n\r\n'),
    );
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')));
    socket.once('error', (error) => resolve(`${heard}${error.message}`));
    socket.once('close', () => resolve(heard));
  });
}
