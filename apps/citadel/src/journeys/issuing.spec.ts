import { X509Certificate } from 'node:crypto';
import { Code, createClient, type Client } from '@connectrpc/connect';
import { silentLogger } from '@flotilla/observe';
import { createRpcTransport, fromConnectError, serveRpc, type ClientTls } from '@flotilla/rpc';
import { FakeClock } from '@flotilla/runtime';
import {
  createKeyAndCsr,
  formatSpiffeId,
  splitCertificates,
  tokenGrantOf,
  workloadCertificate,
  type SpiffeId,
} from '@flotilla/spiffe';
import { createTestAuthority, createTestIdentity } from '@flotilla/spiffe/testing';
import { CitadelService } from '@flotilla/wire/flotilla/citadel/v1/citadel_pb.js';
import { IstioCertificateService } from '@flotilla/wire/istio/v1/auth/ca_pb.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { istiod, ratings, reviews, startTestCitadel, trustDomain } from './citadel.ts';

const opened: { close(): void | Promise<void> }[] = [];
let citadel: Awaited<ReturnType<typeof startTestCitadel>>;
let url: string;

beforeAll(async () => {
  citadel = await startTestCitadel({ minTtlMs: 1_000, rateLimit: { burst: 100, perSecond: 0 } });
  const identity = createTestIdentity(await citadel.issueFor(istiod, 3_600_000));
  const server = await serveRpc({
    address: { host: '127.0.0.1', port: 0 },
    routes: citadel.routes,
    tls: { identity, clientCertificates: 'optional' },
    logger: silentLogger,
  });
  opened.push(server);
  url = server.url;
});

afterAll(async () => {
  for (const one of opened.reverse()) await one.close();
  citadel.remove();
});

function connect(options: { token?: string; tls?: ClientTls }) {
  const tls = { rootsPem: citadel.rootsPem, serverSpiffeId: formatSpiffeId(istiod), ...options.tls };
  const transport = createRpcTransport({ url, tls, ...(options.token === undefined ? {} : { token: options.token }) });
  opened.push(transport);
  return { ours: createClient(CitadelService, transport), istio: createClient(IstioCertificateService, transport) };
}

const tokenFor = async ({ namespace, serviceAccount }: SpiffeId) =>
  (await citadel.createToken({ namespace, serviceAccount, ttlMs: 60_000 })).token;

async function obtain(client: Client<typeof CitadelService>, id: SpiffeId) {
  const { privateKeyPem, csrPem } = await createKeyAndCsr(id);
  const reply = await client.issueCertificate({ csrPem, ttl: { seconds: 600n } });
  return workloadCertificate({ privateKeyPem, chainPem: reply.chainPem.join(''), rootsPem: reply.rootPem.join('') });
}

describe('issuing', () => {
  it('goes by a token first, and by the certificate after', async () => {
    const first = await obtain(connect({ token: await tokenFor(reviews) }).ours, reviews);
    expect(first.spiffeId).toEqual(reviews);
    expect(first.rootsPem).toBe(citadel.rootsPem);
    const renewed = await obtain(connect({ tls: { identity: createTestIdentity(first) } }).ours, reviews);
    expect(renewed.spiffeId).toEqual(reviews);
    expect(renewed.serial).not.toBe(first.serial);
  });

  it('speaks the API of Istio: seconds in, a chain from leaf to root out', async () => {
    const { istio } = connect({ token: await tokenFor(reviews) });
    const { csrPem } = await createKeyAndCsr(reviews);
    const { certChain } = await istio.createCertificate({
      csr: csrPem,
      validityDuration: 300n,
      metadata: { CertSigner: '' },
    });
    const [leaf, root] = certChain.map((pem) => new X509Certificate(pem));
    expect(certChain).toHaveLength(2);
    expect(certChain[1]).toBe(citadel.rootsPem);
    expect(root !== undefined && leaf?.verify(root.publicKey)).toBe(true);
    expect((leaf?.validToDate.getTime() ?? 0) - Date.now()).toBeGreaterThan(290_000);
    expect((leaf?.validToDate.getTime() ?? 0) - Date.now()).toBeLessThan(310_000);
    await expect(
      istio.createCertificate({ csr: csrPem, metadata: { ImpersonatedIdentity: 'x' } }),
    ).rejects.toMatchObject({
      code: Code.InvalidArgument,
    });
  });

  it.each<[string, bigint, number]>([
    ['the default when nothing is wished', 0n, 24 * 3600],
    ['the maximum for more', 999_999_999n, 24 * 3600],
    ['the wish within the limits', 60n, 60],
  ])('grants %s', async (_, validityDuration, seconds) => {
    const { csrPem } = await createKeyAndCsr(reviews);
    const { istio } = connect({ token: await tokenFor(reviews) });
    const { certChain } = await istio.createCertificate({ csr: csrPem, validityDuration });
    const remainingMs = new X509Certificate(certChain[0] ?? '').validToDate.getTime() - Date.now();
    expect(Math.abs(remainingMs / 1000 - seconds)).toBeLessThan(5);
  });

  it('tells anybody the roots', async () => {
    expect(await connect({}).ours.getTrustBundle({})).toMatchObject({ trustDomain, rootPem: [citadel.rootsPem] });
  });

  it('issues to many at once', async () => {
    const ids = Array.from({ length: 20 }, (_, index) => ({ ...reviews, serviceAccount: `account-${index}` }));
    const issued = await Promise.all(ids.map(async (id) => obtain(connect({ token: await tokenFor(id) }).ours, id)));
    expect(issued.map((certificate) => certificate.spiffeId)).toEqual(ids);
  });
});

const reject = async (call: Promise<unknown>) =>
  fromConnectError(
    await call.then(
      () => 'was granted',
      (error: unknown) => error,
    ),
  );

describe('refusals', () => {
  it('of a request for another identity, saying which', async () => {
    const { ours } = connect({ token: await tokenFor(reviews) });
    expect(await reject(obtain(ours, ratings))).toMatchObject({
      code: 'forbidden',
      message: `the request asks for url "${formatSpiffeId(ratings)}"; this caller may have only ${formatSpiffeId(reviews)}`,
    });
    const identity = createTestIdentity(await obtain(ours, reviews));
    expect(await reject(obtain(connect({ tls: { identity } }).ours, istiod))).toMatchObject({ code: 'forbidden' });
  });

  it('of a caller without proof, and of one with a bad token', async () => {
    expect(await reject(obtain(connect({}).ours, reviews))).toMatchObject({ code: 'unauthenticated' });
    expect(await reject(obtain(connect({ token: 'x' }).ours, reviews))).toMatchObject({ code: 'unauthenticated' });
    const identity = createTestIdentity(await obtain(connect({ token: await tokenFor(reviews) }).ours, reviews));
    const both = connect({ token: 'x', tls: { identity } });
    expect(await reject(obtain(both.ours, reviews))).toMatchObject({ code: 'unauthenticated' });
  });

  it('of a certificate of another authority', async () => {
    const foreign = await createTestAuthority();
    const identity = createTestIdentity(await foreign.issue(reviews));
    expect(await reject(obtain(connect({ tls: { identity } }).ours, reviews))).toMatchObject({ code: 'unavailable' });
  });

  it('of a certificate that expired while its connection was open', async () => {
    const clock = new FakeClock(Date.now());
    const short = await startTestCitadel({ clock, minTtlMs: 1_000 });
    const server = await serveRpc({
      address: { host: '127.0.0.1', port: 0 },
      routes: short.routes,
      tls: { identity: createTestIdentity(await short.issueFor(istiod, 3_600_000)), clientCertificates: 'optional' },
      logger: silentLogger,
    });
    const identity = createTestIdentity(await short.issueFor(reviews, 600_000));
    const transport = createRpcTransport({
      url: server.url,
      tls: { identity, serverSpiffeId: formatSpiffeId(istiod) },
    });
    const client = createClient(CitadelService, transport);
    await obtain(client, reviews);
    clock.advance(601_000);
    expect(await reject(obtain(client, reviews))).toMatchObject({
      code: 'unauthenticated',
      message: expect.stringContaining('expired on') as string,
    });
    transport.close();
    await server.close();
    short.remove();
  });

  it('of a caller that asks too often', async () => {
    const id = { ...reviews, serviceAccount: 'greedy' };
    const { ours } = connect({ token: await tokenFor(id) });
    const calls = Array.from({ length: 101 }, () =>
      ours.issueCertificate({ csrPem: 'x' }).catch((error: unknown) => fromConnectError(error)),
    );
    const codes = (await Promise.all(calls)).map((outcome) => ('code' in outcome ? outcome.code : 'granted'));
    expect(codes.filter((code) => code === 'exhausted')).toHaveLength(1);
    expect(codes.filter((code) => code === 'invalid')).toHaveLength(100);
  });

  it('of tokens for whoever is not the administrator', async () => {
    const request = { namespace: 'default', serviceAccount: 'a' };
    expect(await reject(connect({}).ours.createToken(request))).toMatchObject({ code: 'unauthenticated' });
    const { token } = await connect({ token: 'admin' }).ours.createToken(request);
    expect((await obtain(connect({ token }).ours, { ...reviews, serviceAccount: 'a' })).spiffeId.serviceAccount).toBe(
      'a',
    );
  });
});

describe('a bootstrap token', () => {
  const admin = () => connect({ token: 'admin' }).ours;

  it('is used by one key, which may ask again, and by no other', async () => {
    const { ours } = connect({ token: await tokenFor(reviews) });
    const { csrPem } = await createKeyAndCsr(reviews);
    for (let answers = 0; answers < 2; answers++) await ours.issueCertificate({ csrPem });
    expect(await reject(obtain(ours, reviews))).toMatchObject({
      code: 'unauthenticated',
      message: 'the bootstrap token is refused: it has been used already',
    });
  });

  it('is not used up by a request that is refused', async () => {
    const { ours } = connect({ token: await tokenFor(reviews) });
    expect(await reject(obtain(ours, ratings))).toMatchObject({ code: 'forbidden' });
    expect((await obtain(ours, reviews)).spiffeId).toEqual(reviews);
  });

  it('that is revoked gives no certificate, and those that it gave are renewed no more, in any generation', async () => {
    const { token, id } = await admin().createToken({
      namespace: 'default',
      serviceAccount: reviews.serviceAccount,
      workload: 'reviews-v1',
      reusable: true,
    });
    const first = await obtain(connect({ token }).ours, reviews);
    const second = await obtain(connect({ tls: { identity: createTestIdentity(first) } }).ours, reviews);
    expect(tokenGrantOf(new X509Certificate(second.chainPem).raw)).toEqual({ tokenId: id, workload: 'reviews-v1' });
    const { token: shown } = await admin().revokeToken({ id: token });
    expect(shown).toMatchObject({ id, spiffeId: formatSpiffeId(reviews), workload: 'reviews-v1', used: 1 });
    expect(await reject(obtain(connect({ token }).ours, reviews))).toMatchObject({
      message: 'the bootstrap token is refused: it was revoked',
    });
    const renewal = connect({ tls: { identity: createTestIdentity(second) } }).ours;
    expect(await reject(obtain(renewal, reviews))).toMatchObject({
      code: 'unauthenticated',
      message: expect.stringContaining('goes back to was revoked') as string,
    });
    const { tokens } = await admin().listTokens({});
    expect(tokens.find((each) => each.id === id)?.revokedAt).toBeDefined();
    expect(JSON.stringify(tokens, (_, value: unknown) => (typeof value === 'bigint' ? 0 : value))).not.toContain(token);
  });

  it('is listed and revoked by administrators alone', async () => {
    expect(await reject(connect({}).ours.listTokens({}))).toMatchObject({ code: 'unauthenticated' });
    expect(await reject(connect({}).ours.revokeToken({ id: 'x' }))).toMatchObject({ code: 'unauthenticated' });
    expect(await reject(admin().revokeToken({ id: 'x' }))).toMatchObject({ code: 'invalid' });
  });
});

describe('a restart', () => {
  it('keeps the root and the tokens', async () => {
    const token = await tokenFor(reviews);
    const again = await startTestCitadel({ dataDir: citadel.dataDir });
    opened.push(again);
    expect(again.rootsPem).toBe(citadel.rootsPem);
    expect(splitCertificates(again.rootsPem)).toHaveLength(1);
    expect((await obtain(connect({ token }).ours, reviews)).spiffeId).toEqual(reviews);
  });

  it('of two at once on an empty directory ends with one root', async () => {
    const first = await startTestCitadel();
    first.remove();
    const both = await Promise.all([
      startTestCitadel({ dataDir: first.dataDir }),
      startTestCitadel({ dataDir: first.dataDir }),
    ]);
    expect(both[0].rootsPem).toBe(both[1].rootsPem);
    first.remove();
  });
});

describe('the control plane', () => {
  it('gets its own names beside its identity, and can be verified by them', async () => {
    const certificate = await citadel.issueFor(istiod, 60_000);
    const leaf = new X509Certificate(certificate.chainPem);
    expect(leaf.subjectAltName).toBe(
      `URI:${formatSpiffeId(istiod)}, DNS:istiod, DNS:istiod.istio-system, DNS:istiod.istio-system.svc, DNS:istiod.istio-system.svc.cluster.local, DNS:localhost`,
    );
    const transport = createRpcTransport({
      url,
      tls: { rootsPem: citadel.rootsPem, serverName: 'istiod.istio-system.svc' },
    });
    opened.push(transport);
    await createClient(CitadelService, transport).getTrustBundle({});
  });
});
