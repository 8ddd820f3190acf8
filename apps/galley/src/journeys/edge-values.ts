import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { formatPath, isObject } from '@flotilla/model';

/** A document that differs from a valid one in one place. */
export interface Edit {
  /** `VirtualService web: spec.http[0].timeout = "0s"` */
  readonly text: string;
  readonly document: JsonObject;
}

type Path = readonly (string | number)[];

const NUMBERS = [
  -1, 0, 1, 2, 99, 100, 101, 105, 1023, 65_535, 65_536, 5_000_012, 8_388_609, 2_147_483_647, 4_294_967_295,
];
const FRACTIONS = [0.5, 0.00001, 100.5];
const DURATIONS = ['0s', '0.0005s', '0.001s', '0.5s', '59s', '86400s', '9999999999s', '315576000000s'];
const TEXTS = [
  '',
  ' ',
  '*',
  '/',
  'a',
  'A',
  '%',
  '50%',
  '%%',
  '%FOO%',
  '%REQ(x)%',
  '%REQ()%',
  '%START_TIME(%s)%',
  '%PROTOCOL:3%',
  'a b',
  'a:b',
  'a/b',
  'a?b',
  '{a}',
  'é',
  '\u0001',
  'a\nb',
  'a\u0000b',
  '(',
  'a{1001}',
  '(?:a{100}){100}',
  '\\1',
  '\\9',
  '*.com',
  '[::1]',
  'host',
  ':path',
  ':authority',
  'x'.repeat(1024),
  'x'.repeat(1025),
  'x'.repeat(20_000),
];
const KEYS = ['host', 'Host', ':path', ':authority', ':method', 'a b', '', 'x'.repeat(300), '@a', '*', 'é', '0'];

/** Name files, of which the machine of a proxy decides whether they are there. */
const FILES: ReadonlySet<string | number> = new Set([
  'caCertificates',
  'clientCertificate',
  'privateKey',
  'serverCertificate',
]);

/** A valid document with one field left out, one value at its edges, or one key of a map replaced. */
export function* editsOf(document: JsonObject): Generator<Edit> {
  const { kind = '', metadata } = document;
  const name = isObject(metadata) ? metadata['name'] : '';
  const subject = `${String(kind)} ${String(name)}`;
  yield { text: subject, document };
  for (const [path, value] of placesIn(document['spec'] ?? {}, ['spec'])) {
    if (FILES.has(path.at(-1) ?? '')) continue;
    const at = `${subject}: ${formatPath(path)}`;
    yield { text: `${at} left out`, document: without(document, path) };
    for (const edge of edgesOf(value)) {
      yield { text: `${at} = ${JSON.stringify(edge).slice(0, 40)}`, document: replaced(document, path, edge) };
    }
    const last = path.at(-1);
    if (typeof last !== 'string') continue;
    for (const key of KEYS) {
      const moved = replaced(without(document, path), [...path.slice(0, -1), key], value);
      yield { text: `${at} named ${JSON.stringify(key).slice(0, 40)}`, document: moved };
    }
  }
}

function* placesIn(value: JsonValue, path: Path): Generator<readonly [Path, JsonValue]> {
  if (!isObject(value) && !Array.isArray(value)) return;
  const entries: [string | number, JsonValue][] = Array.isArray(value)
    ? value.map((item, index) => [index, item])
    : Object.entries(value);
  for (const [step, below] of entries) {
    yield [[...path, step], below];
    yield* placesIn(below, [...path, step]);
  }
}

function edgesOf(value: JsonValue): readonly JsonValue[] {
  if (typeof value === 'number') return [...NUMBERS, ...FRACTIONS];
  if (typeof value === 'boolean') return [!value];
  if (typeof value === 'string') return /^[\d.]+m?[smh]$/.test(value) ? DURATIONS : TEXTS;
  if (Array.isArray(value)) return [[], [...value, ...value]];
  return [{}];
}

function replaced(root: JsonObject, path: Path, value: JsonValue): JsonObject {
  // The copy of an object is one.
  const copy = structuredClone(root) as JsonObject;
  const parent = parentOf(copy, path);
  const last = path.at(-1);
  if (Array.isArray(parent)) parent[Number(last)] = value;
  else if (isObject(parent)) Object.assign(parent, { [String(last)]: value });
  return copy;
}

function without(root: JsonObject, path: Path): JsonObject {
  const copy = structuredClone(root) as JsonObject;
  const parent = parentOf(copy, path);
  const last = path.at(-1);
  if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else if (isObject(parent)) Reflect.deleteProperty(parent, String(last));
  return copy;
}

function parentOf(root: JsonValue, path: Path): JsonValue {
  let at: JsonValue = root;
  for (const step of path.slice(0, -1)) {
    if (Array.isArray(at)) at = at[Number(step)] ?? null;
    else if (isObject(at)) at = at[String(step)] ?? null;
  }
  return at;
}
