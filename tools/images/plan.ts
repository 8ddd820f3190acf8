import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FlotillaError } from '@flotilla/runtime';

/** Targets of deploy/docker/Dockerfile, each one image. */
export const IMAGES = ['citadel', 'galley', 'pilot', 'proxy', 'bookinfo', 'capture'] as const;
export type ImageName = (typeof IMAGES)[number];

export interface ImagePlan {
  readonly root: string;
  /** Base image; null for the Dockerfile's own default. */
  readonly base: string | null;
  readonly tag: string;
  readonly names: readonly ImageName[];
}

const OPTIONS: Readonly<Record<string, string>> = {
  '--base': 'an image with Node 26',
  '--tag': 'a tag',
  '--only': `names out of ${IMAGES.join()}`,
};

/**
 * Reads the command line of `npm run images`; the tag is the version of package.json unless given. Throws `usage`, with
 * everything that is wrong.
 */
export function parseArguments(root: string, args: readonly string[]): ImagePlan {
  const faults: string[] = [];
  const given = new Map<string, string>();
  for (let at = 0; at < args.length; at += 2) {
    const [option = '', value] = args.slice(at, at + 2);
    const wanted = OPTIONS[option];
    if (wanted === undefined) faults.push(`"${option}" is no option; there are ${Object.keys(OPTIONS).join(', ')}`);
    else if (value === undefined || value === '') faults.push(`${option} needs ${wanted}`);
    else given.set(option, value);
  }
  const wanted = given.get('--only')?.split(',') ?? IMAGES;
  const names = IMAGES.filter((name) => wanted.includes(name));
  for (const name of wanted) {
    if (!IMAGES.some((known) => known === name)) faults.push(`--only ${name}: there is ${IMAGES.join(', ')}`);
  }
  if (faults.length > 0) throw new FlotillaError('usage', faults.join('\n'));
  return { root, base: given.get('--base') ?? null, tag: given.get('--tag') ?? versionOf(root), names };
}

/** Version of the repository: the tag that the files below deploy/ name. */
export function versionOf(root: string): string {
  // npm checks that a package.json has a version.
  return (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;
}

export function imageReference(name: ImageName, tag: string): string {
  return `flotilla/${name}:${tag}`;
}

/** The `docker build` of one image. */
export function buildArguments({ root, base, tag }: ImagePlan, name: ImageName): string[] {
  return [
    ...['build', '--quiet', '--file', join(root, 'deploy/docker/Dockerfile'), '--target', name],
    ...['--tag', imageReference(name, tag), ...(base === null ? [] : ['--build-arg', `BASE=${base}`])],
    root,
  ];
}

/** Where a bundle is that is not a file by itself. */
const BUNDLES: Readonly<Partial<Record<ImageName, string>>> = {
  bookinfo: 'bookinfo/productpage',
  proxy: 'proxy/proxy',
};

/** Throws `not-found` when what the images are made of was not built. */
export function checkBundles({ root, names }: ImagePlan): void {
  const missing = names
    .map((name) => `dist/services/${BUNDLES[name] ?? name}.mjs`)
    .filter((path) => !existsSync(join(root, path)));
  if (missing.length === 0) return;
  throw new FlotillaError('not-found', `there is no ${missing.join(', ')}`, { hint: 'Run "npm run build" first.' });
}
