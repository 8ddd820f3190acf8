import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectMesh, type MeshClient } from '@flotilla/client';
import { createKeyAndCsr } from '@flotilla/spiffe';
import type { World } from '../world.ts';
import { type Fault, NOTHING_TO_HEAL } from './fault.ts';

const TIMES = 20;
const TIMEOUT_MS = 2_000;
const SERVICE_ACCOUNT = 'apiVersion: v1\nkind: ServiceAccount\nmetadata: { name: stolen, namespace: rogue }\n';
const GALLEY = { trustDomain: 'cluster.local', namespace: 'istio-system', serviceAccount: 'galley' };

interface Abuse {
  readonly what: string;
  readonly token: string;
  attempt(client: MeshClient): Promise<unknown>;
}

/** Certificates and writes, asked for many times at once with tokens that are forged, altered or somebody else's. */
export const tokenAbuse: Fault = async (world, _, report) => {
  await Promise.all(abuses(world.secrets).map((abuse) => abuseTokens(world, abuse, report)));
  return NOTHING_TO_HEAL;
};

function abuses(secrets: string): readonly Abuse[] {
  const workload = readFileSync(join(secrets, 'tokens/default.svc-0'), 'utf8').trim();
  const [head = '', body = '', signature = ''] = workload.split('.');
  const claims = Buffer.from(body, 'base64url').toString().replaceAll('svc-0', 'galley');
  const altered = [head, Buffer.from(claims).toString('base64url'), signature].join('.');
  const certificate = async (client: MeshClient) => {
    const { csrPem } = await createKeyAndCsr(GALLEY);
    return client.citadel.issueCertificate({ csrPem }, { timeoutMs: TIMEOUT_MS });
  };
  const write = (client: MeshClient) =>
    client.galley.apply({ documents: [{ source: 'abuse', yaml: SERVICE_ACCOUNT }] }, { timeoutMs: TIMEOUT_MS });
  return [
    { what: 'a certificate of galley for a token that nobody made', token: 'eyJ.guessed.token', attempt: certificate },
    { what: 'a certificate of galley for a token of svc-0', token: workload, attempt: certificate },
    { what: 'a certificate of galley for an altered token', token: altered, attempt: certificate },
    { what: 'a write with a token that nobody made', token: 'guessed', attempt: write },
    { what: 'a write with a token of svc-0', token: workload, attempt: write },
  ];
}

/** Any number of them may go unanswered; none may succeed. */
async function abuseTokens(
  { mesh, secrets }: World,
  { what, token, attempt }: Abuse,
  report: (violation: string) => void,
) {
  const url = (name: string) => `https://${mesh.addresses.get(name)?.[0]}`;
  const client = connectMesh({
    api: url('galley'),
    citadel: url('citadel'),
    pilots: [url('pilot-0')],
    token,
    rootsPem: readFileSync(join(secrets, 'root-cert.pem'), 'utf8'),
  });
  const outcomes = await Promise.allSettled(Array.from({ length: TIMES }, () => attempt(client)));
  client.close();
  const taken = outcomes.filter(({ status }) => status === 'fulfilled').length;
  if (taken > 0) report(`${what} was given ${taken} times`);
}
