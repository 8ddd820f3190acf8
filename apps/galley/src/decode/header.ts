import type { JsonObject } from '@bufbuild/protobuf';
import { describeType, didYouMean, FAULT_CODES, isObject, quote } from '@flotilla/model';
import type { FaultList, FieldPath, Labels } from '@flotilla/model';

/** What every Kubernetes-style document begins with. */
export interface Header {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** As written; "" when it is not. */
  readonly namespace: string;
  readonly labels: Labels;
  readonly annotations: Labels;
}

// Fields of ObjectMeta that the system writes, or that mean nothing to a mesh.
const OTHER_METADATA = [
  'creationTimestamp',
  'deletionGracePeriodSeconds',
  'deletionTimestamp',
  'finalizers',
  'generateName',
  'generation',
  'managedFields',
  'ownerReferences',
  'resourceVersion',
  'selfLink',
  'uid',
];
const METADATA = ['name', 'namespace', 'labels', 'annotations', ...OTHER_METADATA];

const DNS_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
const LABEL_NAME = /^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/;

/** Reads apiVersion and kind. A fault and `null` when either is missing. */
export function readTypeMeta(
  document: JsonObject,
  faults: FaultList,
  path: FieldPath = [],
): { readonly apiVersion: string; readonly kind: string } | null {
  const apiVersion = readText(document, 'apiVersion', path, faults);
  const kind = readText(document, 'kind', path, faults);
  return apiVersion === null || kind === null ? null : { apiVersion, kind };
}

/** Reads the metadata. Faults for a missing or invalid name, unknown fields, bad labels; usable in every case. */
export function readMetadata(
  document: JsonObject,
  faults: FaultList,
  path: FieldPath = [],
): Omit<Header, 'apiVersion' | 'kind'> {
  const metadata = document['metadata'];
  const at = [...path, 'metadata'];
  if (!isObject(metadata)) {
    faults.error(at, metadata == null ? '"metadata" is missing' : `must be a map, but is ${describeType(metadata)}`);
    return { name: '', namespace: '', labels: {}, annotations: {} };
  }
  for (const name of Object.keys(metadata)) {
    if (!METADATA.includes(name)) {
      faults.unexpected([...at, name], `unknown field ${quote(name)}`, () => didYouMean(name, METADATA));
    }
  }
  const name = readText(metadata, 'name', at, faults) ?? '';
  if (name !== '' && (name.length > 253 || !DNS_SUBDOMAIN.test(name))) faults.error([...at, 'name'], ...badName(name));
  const namespace = metadata['namespace'] == null ? '' : (readText(metadata, 'namespace', at, faults) ?? '');
  if (namespace !== '' && !DNS_LABEL.test(namespace)) faults.error([...at, 'namespace'], ...badName(namespace));
  const labels = readTexts(metadata['labels'], [...at, 'labels'], faults);
  checkLabels(labels, [...at, 'labels'], faults);
  return { name, namespace, labels, annotations: readTexts(metadata['annotations'], [...at, 'annotations'], faults) };
}

/** Whether the text can name a namespace. */
export function isDnsLabel(text: string): boolean {
  return DNS_LABEL.test(text);
}

/** Faults for label keys and values that Kubernetes would not take. */
export function checkLabels(labels: Labels, path: FieldPath, faults: FaultList): void {
  for (const [key, value] of Object.entries(labels)) {
    const slash = key.indexOf('/');
    const isGoodPrefix = slash === -1 || (slash <= 253 && DNS_SUBDOMAIN.test(key.slice(0, slash)));
    if (!isGoodPrefix || !LABEL_NAME.test(key.slice(slash + 1))) {
      faults.unexpected([...path, key], `${quote(key)} is not a label`, 'Labels are named [prefix/]name.');
    }
    if (!LABEL_VALUE.test(value)) {
      faults.error(
        [...path, key],
        `${quote(value)} is not the value of a label`,
        'Use at most 63 letters, digits, dashes, dots and underscores, beginning and ending with a letter or digit.',
      );
    }
  }
}

function badName(name: string): [message: string, hint: string] {
  return [
    `${quote(name)} is not a valid name (DNS-1123)`,
    'Use lower-case letters, digits and dashes, beginning and ending with a letter or digit.',
  ];
}

function readText(source: JsonObject, name: string, path: FieldPath, faults: FaultList): string | null {
  const value = source[name];
  if (typeof value === 'string' && value !== '') return value;
  if (value === undefined || value === null || value === '') faults.error([...path, name], `${quote(name)} is missing`);
  else {
    const isPlain = typeof value === 'number' || typeof value === 'boolean';
    const hint = isPlain ? `Put it in quotes: "${value}".` : '';
    faults.error([...path, name], `must be a text, but is ${describeType(value)}`, hint);
  }
  return null;
}

function readTexts(value: unknown, path: FieldPath, faults: FaultList): Labels {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) {
    faults.error(path, `must be a map, but is ${describeType(value)}`);
    return {};
  }
  const result: Record<string, string> = {};
  for (const name of Object.keys(value)) {
    const child = value[name];
    if (child === '' || child === null) result[name] = '';
    else result[name] = readText(value, name, path, faults) ?? '';
  }
  return result;
}

/** The fault of a kind or version that is not known. */
export function unknownKind(faults: FaultList, path: FieldPath, message: string, hint: string): void {
  faults.add({ severity: 'error', code: FAULT_CODES.unknownKind, path, subject: 'value', message, hint });
}
