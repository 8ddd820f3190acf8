import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createMeshKeys, createReusableToken } from '@flotilla/citadel';
import { FlotillaError, systemClock } from '@flotilla/runtime';
import {
  assertPrivateFolder,
  makeDirectory,
  parseSecretMode,
  readSecretFile,
  writeDurably,
} from '@flotilla/runtime/disk';
import { formatSpiffeId, isTrustDomain, parseSpiffeId, type SpiffeId } from '@flotilla/spiffe';
import { printLine } from '@flotilla/sockets/standard-streams';
import { durationOption } from './option-values.ts';

export interface SecretsOptions {
  readonly out: string;
  readonly trustDomain: string;
  readonly workload?: readonly string[];
  readonly ttl: string;
  readonly mode: string;
}

// Who needs a token to start, whatever runs in the mesh.
const CONTROL_PLANE = ['istio-system/galley', 'istio-system/pilot'];

/**
 * `flotilla secrets`: the files that services of a mesh are started with, for platforms that hand secrets over as
 * files. What is there already stays, so that more workloads can be added later. The tokens are reusable: such a platform
 * starts containers again with the same files. The directory is for its owner alone; so are the files, unless they are made
 * for whoever they are mounted for.
 */
export async function secrets(options: SecretsOptions): Promise<void> {
  const { out, trustDomain } = options;
  if (!isTrustDomain(trustDomain)) throw new FlotillaError('usage', `--trust-domain "${trustDomain}" is not one`);
  const ttlMs = durationOption('--ttl', options.ttl);
  const workloads = [...CONTROL_PLANE, ...(options.workload ?? [])].map((text) => workloadOf(text, trustDomain));
  const directory = new SecretsDirectory(out, modeOf(options.mode));
  if (!directory.has('token-key.pem') || !directory.has('root-key.pem')) {
    const keys = await createMeshKeys(trustDomain, systemClock);
    directory.write('root-cert.pem', keys.rootCertificatePem);
    directory.write('root-key.pem', keys.rootKeyPem);
    directory.write('token-key.pem', keys.tokenKeyPem);
  }
  const tokenKeyPem = directory.read('token-key.pem');
  for (const name of ['admin-token', 'redis-password']) {
    if (!directory.has(name)) directory.write(name, `${randomBytes(32).toString('base64url')}\n`);
  }
  for (const each of workloads) {
    const { namespace, serviceAccount } = each.id;
    const name = join('tokens', [namespace, serviceAccount, each.workload].filter((part) => part !== '').join('.'));
    if (!directory.has(name)) directory.write(name, `${createReusableToken(tokenKeyPem, each, ttlMs, systemClock)}\n`);
  }
  for (const line of directory.report) printLine(line);
}

function modeOf(text: string): number {
  try {
    return parseSecretMode(text);
  } catch (error) {
    throw new FlotillaError('usage', `--mode: ${FlotillaError.from(error).describe()}`, { cause: error });
  }
}

/** `workload` `''`: any of the service account. */
function workloadOf(text: string, trustDomain: string): { readonly id: SpiffeId; readonly workload: string } {
  const [namespace = '', serviceAccount = '', workload = '', ...more] = text.split('/');
  const id = { trustDomain, namespace, serviceAccount };
  try {
    if (more.length === 0) return { id: parseSpiffeId(formatSpiffeId(id)), workload };
  } catch {
    // Said below, in the words of the option.
  }
  throw new FlotillaError(
    'usage',
    `--workload "${text}": write namespace/service-account, such as default/reviews, and /workload after it for one workload alone`,
  );
}

class SecretsDirectory {
  readonly report: string[] = [];
  readonly #path: string;
  readonly #mode: number;

  constructor(path: string, mode: number) {
    this.#path = path;
    this.#mode = mode;
    this.#do('', () => {
      makeDirectory(path);
      assertPrivateFolder(path);
    });
  }

  has(name: string): boolean {
    return existsSync(join(this.#path, name));
  }

  read(name: string): string {
    return this.#do(name, () => readSecretFile(join(this.#path, name)));
  }

  /** Never over a file that is there. */
  write(name: string, content: string): void {
    this.#do(name, () => {
      makeDirectory(dirname(join(this.#path, name)));
      writeDurably(join(this.#path, name), content, this.#mode);
    });
    this.report.push(`made ${join(this.#path, name)}`);
  }

  #do<T>(name: string, act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw FlotillaError.from(error, 'system').within(`cannot use ${join(this.#path, name)}`);
    }
  }
}
