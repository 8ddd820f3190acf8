import type { DescMessage } from '@bufbuild/protobuf';
import { SUBJECTS, TABLES, verdictsOf } from '@flotilla/envoy/tables';
import { BootstrapSchema } from '@flotilla/wire/envoy/config/bootstrap/v3/bootstrap_pb.js';
import { UpstreamTlsContextSchema } from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadAllTypes } from './bootstrap/extension-types.ts';

/*
 * Every message that the proxy reads has a table, and every field of it a verdict: honoured, a hint, or refused. What is
 * reached starts from the bootstrap and from every type that may stand in an `Any`, and goes on through honoured fields.
 */

interface Reached {
  readonly table: string;
  readonly message: DescMessage;
}

const types = [...(await loadAllTypes())].filter((type): type is DescMessage => type.kind === 'message');
/** The proxy, and the libraries that compile parts of its configuration. */
const FOLDERS = [
  '.',
  ...['cluster', 'decide', 'envoy', 'format', 'policy', 'route', 'stream'].map((lib) => `../../../libs/${lib}/src`),
];
const source = FOLDERS.flatMap((folder) => sourcesOf(join(import.meta.dirname, folder))).join('\n');

function sourcesOf(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts') && !name.startsWith('tables'))
    .map((name) => readFileSync(join(folder, name), 'utf8'));
}

/** Sent to the control plane as they are, with what is in them. */
const SENT_WHOLE: ReadonlySet<string> = new Set([
  'envoy.config.core.v3.Node',
  'envoy.config.core.v3.Extension',
  'envoy.type.v3.SemanticVersion',
]);

/** Asked for by the name of the table. */
const OF_CONTROL_PLANES: readonly (readonly [string, DescMessage])[] = [
  [`${UpstreamTlsContextSchema.typeName} (of a control plane)`, UpstreamTlsContextSchema],
];

const reached = reach([BootstrapSchema, ...types.filter(({ typeName }) => TABLES[typeName] !== undefined)]);

function reach(roots: readonly DescMessage[]): readonly Reached[] {
  const found = new Map<string, Reached>();
  const add = (message: DescMessage, table: string): void => {
    if (found.has(table) || message.typeName.startsWith('google.protobuf.')) return;
    found.set(table, { table, message });
    const verdicts = verdictsOf(TABLES[table] ?? {});
    for (const field of message.fields) {
      if (field.message === undefined || verdicts.get(field.name)?.verdict !== 'honoured') continue;
      add(field.message, TABLES[table]?.inside?.[field.name] ?? field.message.typeName);
    }
  };
  for (const root of roots) add(root, root.typeName);
  for (const [table, message] of OF_CONTROL_PLANES) add(message, table);
  return [...found.values()];
}

/** Fields of what is reached for which `holds` is true, as `TABLE.FIELD`. */
function fieldsWhere(holds: (reached: Reached, field: DescMessage['fields'][number]) => boolean): readonly string[] {
  return reached.flatMap((each) =>
    each.message.fields.filter((field) => holds(each, field)).map(({ name }) => `${each.table}.${name}`),
  );
}

describe('the tables of what is honoured', () => {
  it('have a verdict for every field that is reached', () => {
    expect(fieldsWhere(({ table }, { name }) => !verdictsOf(TABLES[table] ?? {}).has(name))).toEqual([]);
  });

  it('name nothing that a message does not have', () => {
    const unknown = reached.flatMap(({ table, message }) => {
      const fields = new Set(message.fields.map(({ name }) => name));
      const { inside, harmless, never } = TABLES[table] ?? {};
      const named = [
        ...verdictsOf(TABLES[table] ?? {}).keys(),
        ...Object.keys({ ...inside, ...harmless }),
        ...Object.values(never ?? {}).flatMap((values) => Object.keys(values)),
      ];
      return named.filter((field) => !fields.has(field)).map((field) => `${table}.${field}`);
    });
    expect(unknown).toEqual([]);
  });

  it('are one for each message', () => {
    expect(SUBJECTS.flatMap(([, tables]) => Object.keys(tables)).toSorted()).toEqual(Object.keys(TABLES).toSorted());
  });

  it('are all reached', () => {
    const known = new Set(reached.map(({ table }) => table));
    expect(Object.keys(TABLES).filter((table) => !known.has(table))).toEqual([]);
  });

  it('are there for whatever is unpacked', () => {
    const aliases = new Map(
      [...source.matchAll(/\b(\w+)Schema as (\w+)Schema\b/g)].map(([, name = '', alias = '']) => [alias, name]),
    );
    const unpacked = new Set(
      [...source.matchAll(/\b(?:unpackValid|messageOf)\(\s*[\w.]+,\s*(\w+)Schema\b/g)].map(
        ([, name = '']) => aliases.get(name) ?? name,
      ),
    );
    const known = new Set(types.filter(({ typeName }) => TABLES[typeName] !== undefined).map(({ name }) => name));
    expect(unpacked.size).toBeGreaterThan(50);
    expect([...unpacked].filter((name) => !known.has(name.slice(name.lastIndexOf('_') + 1)))).toEqual([]);
  });

  it('refuse values that there are', () => {
    const unknown = fieldsWhere(({ table }, field) => {
      const verdict = verdictsOf(TABLES[table] ?? {}).get(field.name);
      const values = verdict?.verdict === 'honoured' ? verdict.never.map(({ value }) => value) : [];
      return field.enum !== undefined && values.some((value) => field.enum?.values.every(({ name }) => name !== value));
    });
    expect(unknown).toEqual([]);
  });

  // That a field is named does not prove that it is honoured: the conformance scenarios do.
  it('say that a field is honoured only when some source file names it, or the rest of the table decides', () => {
    const words = new Set(source.match(/\w+/g));
    const unread = fieldsWhere(({ table }, { name, localName, message }) => {
      const verdict = verdictsOf(TABLES[table] ?? {}).get(name);
      if (verdict?.verdict !== 'honoured' || words.has(name) || words.has(localName)) return false;
      const isContainer = message !== undefined && TABLES[message.typeName]?.honoured === undefined;
      return !SENT_WHOLE.has(table) && verdict.never.length === 0 && !isContainer;
    });
    expect(unread).toEqual([]);
  });
});
