import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fromJson, type JsonObject, type JsonValue } from '@bufbuild/protobuf';
import { isObject, readDocuments } from '@flotilla/model';
import { MeshConfigSchema } from '@flotilla/wire/istio/mesh/v1alpha1/config_pb.js';
import {
  type GeneratedType,
  meshConfig,
  meshOf,
  proxyOf,
  routerNode,
  sidecarNode,
  translate,
} from '@flotilla/translate/testing';

/**
 * `golden/<case>/input.yaml` is a mesh, `expect.yaml` what a proxy gets of it: `proxy` says whose, `names` all names of a
 * type, each entry of `resources` a resource, or a part of one (`at`), that must hold what stands in `has`.
 */
const GOLDEN = join(import.meta.dirname, '..', 'golden');
const TYPES: readonly GeneratedType[] = ['CDS', 'EDS', 'LDS', 'RDS'];

describe.each(globSync(join(GOLDEN, '*', 'expect.yaml')).sort())('%s', (path) => {
  const mesh = readFileSync(join(dirname(path), 'input.yaml'), 'utf8');
  const { documents } = readDocuments(readFileSync(path, 'utf8'), basename(dirname(path)));
  test.each(documents.map(({ value }, index) => [index + 1, value] as const))('document %i', (_number, value) => {
    const { proxy = {}, mesh: config = {}, names = {}, resources = [] } = objectOf(value);
    const { type = 'sidecar', ...options } = objectOf(proxy);
    // A case is written against the options of the node builders.
    const node = (type === 'router' ? routerNode : sidecarNode)(options as Parameters<typeof sidecarNode>[0]);
    const settings = config === null ? meshConfig({}) : fromJson(MeshConfigSchema, config);
    const translation = translate(meshOf(mesh, settings), proxyOf(node));
    for (const [of, expected] of Object.entries(objectOf(names))) {
      expect(translation.names(typeOf(of)).sort(), `names of ${of}`).toEqual(listOf(expected).sort());
    }
    for (const entry of listOf(resources)) {
      const { type: of, name, at, has } = objectOf(entry);
      const found = select(translation.json(typeOf(of), String(name)), at);
      const what = `${String(of)} ${String(name)} ${String(at ?? '')}`;
      if (isObject(has) || Array.isArray(has)) expect(found, what).toMatchObject(has);
      else expect(found ?? null, what).toEqual(has);
    }
  });
});

/** Follows a path such as `filterChains[0].filters[0].typedConfig`. */
function select(value: JsonValue, at: JsonValue | undefined): unknown {
  const steps = typeof at === 'string' ? (at.match(/[^.[\]]+/g) ?? []) : [];
  return steps.reduce<unknown>(
    (found, step) => (Array.isArray(found) ? found[Number(step)] : isObject(found) ? found[step] : undefined),
    value,
  );
}

function objectOf(value: JsonValue | undefined): JsonObject {
  if (!isObject(value)) throw new Error(`not a map: ${JSON.stringify(value)}`);
  return value;
}

function listOf(value: JsonValue | undefined): JsonValue[] {
  if (!Array.isArray(value)) throw new Error(`not a list: ${JSON.stringify(value)}`);
  return value;
}

function typeOf(value: JsonValue | undefined): GeneratedType {
  const type = TYPES.find((candidate) => candidate === value);
  if (type === undefined) throw new Error(`not a type: ${JSON.stringify(value)}`);
  return type;
}
