import { limit } from '@flotilla/runtime';

/** Bounds on a text that somebody else wrote. */
export interface YamlLimits {
  /** Of one text, in UTF-8. */
  readonly maxBytes: number;
  /** How deep lists and maps may nest. */
  readonly maxDepth: number;
  /** Maps, lists and scalars of one document after its aliases are expanded. */
  readonly maxNodes: number;
  /** Documents of one text. */
  readonly maxDocuments: number;
}

export const DEFAULT_YAML_LIMITS: YamlLimits = {
  maxBytes: limit({
    name: 'files.text-bytes',
    what: 'one text of YAML or JSON, from a file or a call',
    default: 4 << 20,
    unit: 'bytes',
    past: 'refused whole',
  }),
  maxDepth: limit({
    name: 'files.depth',
    what: 'nesting of one document',
    default: 64,
    unit: 'levels',
    past: 'the document is refused',
  }),
  maxNodes: limit({
    name: 'files.nodes',
    what: 'values of one document, with what aliases repeat',
    default: 200_000,
    unit: 'count',
    past: 'the document is refused',
  }),
  maxDocuments: limit({
    name: 'files.documents',
    what: 'documents of one text',
    default: 50_000,
    unit: 'count',
    past: 'refused whole',
  }),
};
