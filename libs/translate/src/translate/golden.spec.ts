import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fromJson, type JsonObject, type JsonValue } from '@bufbuild/protobuf';
import { isObject, readDocuments } from '@flotilla/model';
import { MeshConfigSchema } from '@flotilla/wire/istio/mesh/v1alpha1/config_pb.js';
import { expect, test } from 'vitest';
import { Document, isCollection, visit } from 'yaml';
import { meshConfig, routerNode, sidecarNode } from '../testing/nodes.ts';
import { meshOf, proxyOf, translate } from '../testing/translation.ts';
import { type Inputs, ResourceCache } from './cache.ts';
import type { Draft, GeneratedType } from './draft.ts';
import type { EncodedResource } from './encoded.ts';
import type { Patch } from './finish.ts';

/**
 * `golden/<mesh>/mesh.yaml` is a mesh; each other file beside it says what one proxy gets of it: `behaviour` in words,
 * `proxy` whose, `mesh` the MeshConfig, `names` all that it gets, and `resources` some of it, whole (fields at their
 * default are left out, as in JSON). `GOLDEN=write npx vitest run libs/translate/src/translate/golden` writes `names` and
 * the resources that are listed anew: read the difference, then run prettier.
 */
const GOLDEN = join(import.meta.dirname, '..', '..', 'golden');
const TYPES: readonly GeneratedType[] = ['CDS', 'EDS', 'LDS', 'RDS'];
/** Of a line in a golden, in characters. */
const LINE = 90;
const isWriting = process.env['GOLDEN'] === 'write';

/** Remembers which generator made what. */
class WatchedCache extends ResourceCache {
  readonly generators = new Map<string, string>();

  override get<Argument extends Inputs>(
    generator: (inputs: Argument) => Draft,
    inputs: Argument,
    patches?: readonly Patch[],
  ): EncodedResource {
    const resource = super.get(generator, inputs, patches);
    this.generators.set(`${resource.type} ${resource.name}`, generator.name);
    return resource;
  }
}

interface Golden {
  readonly path: string;
  readonly behaviour: string;
  readonly given: JsonObject;
  readonly expected: { readonly names: JsonObject; readonly resources: JsonObject };
}

const goldens = globSync(join(GOLDEN, '*', '*.yaml'))
  .filter((path) => basename(path) !== 'mesh.yaml')
  .sort()
  .map((path): Golden => {
    const { documents } = readDocuments(readFileSync(path, 'utf8'), relative(GOLDEN, path));
    const { behaviour, names, resources, ...given } = objectOf(documents[0]?.value);
    return {
      path,
      behaviour: String(behaviour),
      given,
      expected: { names: objectOf(names), resources: objectOf(resources) },
    };
  });

/** What the golden's proxy really gets: all names, and the resources that the golden lists. */
function translated({ path, given, expected }: Golden, cache = new WatchedCache()): Golden['expected'] {
  const { proxy = {}, mesh: config } = given;
  const { type = 'sidecar', ...options } = objectOf(proxy);
  // Written against the options of the node builders.
  const node = (type === 'router' ? routerNode : sidecarNode)(options as Parameters<typeof sidecarNode>[0]);
  const settings = config === undefined ? meshConfig({}) : fromJson(MeshConfigSchema, config);
  const mesh = meshOf(readFileSync(join(dirname(path), 'mesh.yaml'), 'utf8'), settings);
  const translation = translate(mesh, proxyOf(node), cache);
  const names = Object.fromEntries(TYPES.map((of) => [of, translation.names(of).sort()]));
  const resources = TYPES.flatMap((of) => {
    const listed = Object.keys(objectOf(expected.resources[of] ?? {}));
    return listed.length === 0
      ? []
      : [[of, Object.fromEntries(listed.map((name) => [name, translation.json(of, name)]))] as const];
  });
  return { names, resources: Object.fromEntries(resources) };
}

test.each(goldens.map((golden) => [basename(dirname(golden.path)), golden.behaviour, golden] as const))(
  '%s: %s',
  (_mesh, behaviour, golden) => {
    const actual = translated(golden);
    if (isWriting) writeFileSync(golden.path, yamlOf({ behaviour, ...golden.given, ...actual }));
    else expect(actual).toEqual(golden.expected);
  },
);

test('every generator has a resource in a golden', () => {
  const covered = new Set<string | undefined>();
  for (const golden of goldens) {
    const cache = new WatchedCache();
    translated(golden, cache);
    for (const [type, listed] of Object.entries(golden.expected.resources)) {
      for (const name of Object.keys(objectOf(listed))) covered.add(cache.generators.get(`${type} ${name}`));
    }
  }
  const sources = globSync(join(import.meta.dirname, '**', '*.ts')).map((path) => readFileSync(path, 'utf8'));
  const generators = sources.flatMap((text) =>
    [...text.matchAll(/^export function (\w+Resource)\(/gm)].map(([, name]) => name),
  );
  expect(generators.filter((name) => name !== 'encodeResource' && !covered.has(name))).toEqual([]);
});

/** What fits on a line stands on one. */
function yamlOf(value: object): string {
  const document = new Document(value);
  visit(document, {
    Node(_key, node) {
      if (isCollection(node)) node.flow = JSON.stringify(node).length <= LINE;
    },
  });
  return document.toString({ lineWidth: 0 });
}

function objectOf(value: JsonValue | undefined): JsonObject {
  if (!isObject(value)) throw new Error(`not a map: ${JSON.stringify(value)}`);
  return value;
}
