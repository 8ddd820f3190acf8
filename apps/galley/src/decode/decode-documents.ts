import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import {
  checkSupport,
  decodeBody,
  describeType,
  FAULT_CODES,
  FaultList,
  formatKey,
  formatOrigin,
  formatPath,
  isObject,
  quote,
  readDocuments,
  shorten,
  toFindings,
} from '@flotilla/model';
import type { FieldPath, Finding, KindEntry, Locator, Origin, ResourceKey, SourceDocument } from '@flotilla/model';
import { validate } from '../validate/validate.ts';
import type { Candidate } from './candidate.ts';
import { FindingList, MAX_NAMES, withMore } from './finding-list.ts';
import { readMetadata, readTypeMeta } from './header.ts';
import { decideKind } from './kind.ts';
import { validatePartial } from './validate-partial.ts';

/** One text to read: YAML of any number of documents, or JSON. */
export interface TextDocument {
  /** Name for messages, usually the file's path. */
  readonly source: string;
  readonly yaml: string;
}

export interface DecodedDocuments {
  readonly candidates: readonly Candidate[];
  readonly findings: readonly Finding[];
  /** Documents that mean nothing to a mesh: `v1 ConfigMap default/settings`. */
  readonly ignored: readonly string[];
  /** Resources that are named and could not be accepted. */
  readonly refused: readonly ResourceKey[];
  /** False when something in the texts could not be ascribed to any resource. */
  readonly isComplete: boolean;
}

/**
 * Reads texts into resources that are right on their own: syntax, schema, what this version supports, semantics.
 * Every fault of every document is reported, with its position. Never throws.
 */
export function decodeDocuments(documents: readonly TextDocument[], defaultNamespace: string): DecodedDocuments {
  const decoder = new DocumentsDecoder(defaultNamespace);
  for (const document of documents) decoder.read(document);
  return decoder.result();
}

/** Reads only the keys of the documents, as a deletion needs them. */
export function decodeKeys(
  documents: readonly TextDocument[],
  defaultNamespace: string,
): {
  readonly keys: readonly { readonly key: ResourceKey; readonly origin: Origin }[];
  readonly findings: readonly Finding[];
} {
  const findings = new FindingList();
  const keys = documents.flatMap((text) => {
    const read = readDocuments(text.yaml, text.source);
    findings.add(read.findings);
    return read.documents.flatMap(expandList).flatMap(({ value, locator, origin }) => {
      const faults = new FaultList();
      const named = isObject(value) ? nameDocument(value, defaultNamespace, faults) : null;
      findings.add(toFindings(faults, null, locator));
      return named?.type === 'resource' ? [{ key: named.key, origin }] : [];
    });
  });
  return { keys, findings: findings.all() };
}

interface PlacedDocument {
  readonly value: JsonValue;
  readonly locator: Locator;
  readonly origin: Origin;
}

/** `kubectl get -o yaml` writes several resources as one `v1 List`. */
function expandList(document: SourceDocument): readonly PlacedDocument[] {
  const { value, origin } = document;
  if (!isObject(value) || value['kind'] !== 'List' || value['apiVersion'] !== 'v1') {
    return [{ value, locator: document, origin }];
  }
  const items = value['items'];
  if (!Array.isArray(items)) return [];
  return items.map((item, index) => ({
    value: item,
    origin: document.locate(['items', index], 'value'),
    locator: {
      locate: (path: FieldPath, subject: 'key' | 'value') => document.locate(['items', index, ...path], subject),
    },
  }));
}

type NamedDocument =
  | {
      readonly type: 'resource';
      readonly key: ResourceKey;
      readonly entry: KindEntry;
      readonly apiVersion: string;
      readonly metadata: ReturnType<typeof readMetadata>;
    }
  | { readonly type: 'ignored'; readonly text: string };

/** `null` when the document does not say which resource it is; the faults say why. */
function nameDocument(document: JsonObject, defaultNamespace: string, faults: FaultList): NamedDocument | null {
  const type = readTypeMeta(document, faults);
  if (type === null) return null;
  const { apiVersion, kind } = type;
  const decision = decideKind(apiVersion, kind, faults);
  if (decision.type === 'ignored') {
    const metadata = readMetadata(document, new FaultList());
    const namespace = decision.isNamespaced ? metadata.namespace || defaultNamespace : '';
    const name = metadata.name === '' ? '(unnamed)' : metadata.name;
    return { type: 'ignored', text: `${apiVersion} ${kind} ${namespace === '' ? name : `${namespace}/${name}`}` };
  }
  if (decision.type === 'refused') return null;
  const metadata = readMetadata(document, faults);
  if (metadata.name === '') return null;
  const { entry } = decision;
  if (!entry.isNamespaced && metadata.namespace !== '') {
    faults.unexpected(['metadata', 'namespace'], `a ${kind} is in no namespace`, 'Remove it.');
  }
  const namespace = entry.isNamespaced ? metadata.namespace || defaultNamespace : '';
  const key = { group: entry.group, kind, namespace, name: metadata.name };
  return { type: 'resource', key, entry, apiVersion, metadata };
}

class DocumentsDecoder {
  readonly #defaultNamespace: string;
  readonly #candidates: Candidate[] = [];
  readonly #findings = new FindingList();
  readonly #ignored: string[] = [];
  #ignoredCount = 0;
  readonly #refused: ResourceKey[] = [];
  readonly #seen = new Map<string, Origin>();
  #isComplete = true;

  constructor(defaultNamespace: string) {
    this.#defaultNamespace = defaultNamespace;
  }

  read(text: TextDocument): void {
    const { documents, findings } = readDocuments(text.yaml, text.source);
    this.#findings.add(findings);
    if (findings.length > 0) this.#isComplete = false;
    for (const document of documents.flatMap(expandList)) this.#readDocument(document);
  }

  result(): DecodedDocuments {
    return {
      candidates: this.#candidates,
      findings: this.#findings.all(),
      ignored: withMore(this.#ignored, this.#ignoredCount),
      refused: this.#refused,
      isComplete: this.#isComplete,
    };
  }

  #readDocument({ value, locator, origin }: PlacedDocument): void {
    const faults = new FaultList();
    if (!isObject(value)) {
      faults.error([], `a document must be a map, but is ${describeType(value)}`);
      this.#report(faults, null, locator);
      this.#isComplete = false;
      return;
    }
    const named = nameDocument(value, this.#defaultNamespace, faults);
    if (named?.type === 'ignored') {
      this.#ignoredCount += 1;
      if (this.#ignored.length < MAX_NAMES) this.#ignored.push(shorten(named.text));
      return;
    }
    if (named === null) {
      this.#report(faults, null, locator);
      this.#isComplete = false;
      return;
    }
    const candidate = this.#readResource(value, named, { value, locator, origin }, faults);
    this.#report(faults, named.key, locator);
    if (candidate === null || faults.hasErrors) this.#refused.push(named.key);
    else this.#candidates.push(candidate);
  }

  #readResource(
    document: JsonObject,
    named: NamedDocument & { type: 'resource' },
    place: PlacedDocument,
    faults: FaultList,
  ): Candidate | null {
    const { key, entry, apiVersion, metadata } = named;
    this.#checkRepeated(key, place.origin, faults);
    const { apiVersion: _version, kind: _kind, metadata: _metadata, status: _status, ...body } = document;
    const decoded = decodeBody(entry, body);
    faults.addAll(decoded);
    // Past the faults that are told, what else is wrong can wait.
    const isTold = decoded.omitted.errors === 0;
    if (entry.family === 'istio' && isTold) {
      // Of a field that does not exist, or is written wrongly, that is enough to say.
      const faulted = new Set(decoded.faults.map(({ path }) => formatPath(path)));
      for (const fault of checkSupport(entry.kind, body['spec'])) {
        if (!faulted.has(formatPath(fault.path))) faults.add(fault);
      }
    }
    const spec = decoded.ok ? decoded.value : decoded.partial;
    if (spec === undefined) return null;
    const { labels, annotations } = metadata;
    const content = { key, apiVersion, labels, annotations, body, origin: place.origin };
    const candidate = { content, entry, spec, locator: place.locator };
    if (!decoded.ok) {
      if (isTold) validatePartial(candidate, document, decoded.faults, faults);
      return null;
    }
    validate(candidate, faults);
    return candidate;
  }

  #checkRepeated(key: ResourceKey, origin: Origin, faults: FaultList): void {
    const first = this.#seen.get(formatKey(key));
    if (first === undefined) {
      this.#seen.set(formatKey(key), origin);
      return;
    }
    faults.add({
      severity: 'error',
      code: FAULT_CODES.repeated,
      path: ['metadata', 'name'],
      subject: 'value',
      message: `${key.kind} ${quote(key.name)} is written before, at ${formatOrigin(first)}`,
      hint: 'Rename one of them, or remove it.',
    });
  }

  #report(faults: FaultList, key: ResourceKey | null, locator: Locator): void {
    this.#findings.add(toFindings(faults, key, locator));
  }
}
