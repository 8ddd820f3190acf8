import { DEFAULT_YAML_LIMITS, type YamlLimits } from './limits.ts';
import { Composer, Lexer, LineCounter, Parser } from 'yaml';
import type { CST, Document, YAMLError } from 'yaml';
import type { JsonValue } from '@bufbuild/protobuf';
import { limit } from '@flotilla/runtime';
import { FAULT_CODES } from '../decode/fault.ts';
import { shorten } from '../finding.ts';
import type { Finding, Locator } from '../finding.ts';
import type { Origin } from '../resource-key.ts';
import { locateIn } from './locate.ts';
import { nestedTooDeeply, toValue } from './to-value.ts';

/** One document of a text: its value as JSON, and where each field of it stands. */
export interface SourceDocument extends Locator {
  readonly value: JsonValue;
  readonly origin: Origin;
}

export interface ReadDocuments {
  /** The documents that could be read, in order. Empty ones are passed over. */
  readonly documents: readonly SourceDocument[];
  /** Faults of syntax, each an error. */
  readonly findings: readonly Finding[];
}

/**
 * Reads a YAML (or JSON) text of any number of documents. A document with a fault in its syntax is left out and
 * reported; the others are returned. Maps become JSON objects with text keys, aliases and merge keys are expanded.
 * What JSON cannot say (infinities, binary data, repeated keys) is a fault. YAML 1.2: `yes`, `no`, `on` and `off` are
 * texts, where Kubernetes' older YAML reads booleans; a field that needs a boolean refuses them. Never throws.
 */
export function readDocuments(text: string, source: string, limits: YamlLimits = DEFAULT_YAML_LIMITS): ReadDocuments {
  const byteLength = Buffer.byteLength(text);
  if (byteLength > limits.maxBytes) {
    const message = `the text has ${byteLength} bytes, more than the ${limits.maxBytes} allowed`;
    return { documents: [], findings: [syntaxFault({ source, line: 1, column: 1 }, message, 'Split it.')] };
  }
  const lines = new LineCounter();
  const originOf = (offset: number): Origin => {
    const { line, col } = lines.linePos(offset);
    return { source, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const documents: SourceDocument[] = [];
  const findings: Finding[] = [];
  const parsed = parse(text, lines, limits);
  if (parsed.documents.length > limits.maxDocuments) {
    const message = `the text has ${parsed.documents.length} documents, more than the ${limits.maxDocuments} allowed`;
    return { documents: [], findings: [syntaxFault({ source, line: 1, column: 1 }, message, 'Split it.')] };
  }
  for (const document of parsed.documents) {
    const faults = [
      ...document.errors.slice(0, MAX_SYNTAX_FAULTS),
      ...document.warnings.slice(0, MAX_SYNTAX_FAULTS),
    ].slice(0, MAX_SYNTAX_FAULTS);
    findings.push(...faults.map((fault) => syntaxFault(originOf(fault.pos[0]), sentence(fault), hintFor(fault))));
    if (faults.length > 0 || document.contents === null) continue;
    const read = toValue(document.contents, limits);
    const told = read.faults.slice(0, MAX_SYNTAX_FAULTS);
    findings.push(...told.map(({ offset, message }) => syntaxFault(originOf(offset), shorten(message))));
    if (read.faults.length > 0 || read.value === null) continue;
    documents.push({
      value: read.value,
      origin: originOf(document.contents.range?.[0] ?? 0),
      locate: (path, subject) => originOf(locateIn(document.contents, read.aliases, path, subject)),
    });
  }
  if (parsed.tooDeepAt !== null) findings.push(syntaxFault(originOf(parsed.tooDeepAt), nestedTooDeeply(limits)));
  return { documents, findings };
}

// The first few faults explain the others.
const MAX_SYNTAX_FAULTS = limit({
  name: 'files.syntax-faults',
  what: 'syntax faults told of one document',
  default: 10,
  unit: 'count',
  past: 'not told: the first few explain the others',
});

interface ParsedText {
  readonly documents: readonly Document.Parsed[];
  /** Offset of where nesting got out of hand: what comes from that document on is not read. */
  readonly tooDeepAt: number | null;
}

// The parser holds a few tokens for one level of nesting; what is between the two bounds, `toValue` finds.
const TOKENS_PER_LEVEL = 4;

/**
 * Parses step by step, so as to stop before nesting exhausts the stack: composing, and all that walks over a document
 * later, recurses.
 */
function parse(text: string, lineCounter: LineCounter, limits: YamlLimits): ParsedText {
  const lexer = new Lexer();
  const parser = new Parser(lineCounter.addNewLine);
  const tokens: CST.Token[] = [];
  let tooDeepAt: number | null = null;
  lineCounter.addNewLine(0);
  for (const lexeme of lexer.lex(text)) {
    tokens.push(...parser.next(lexeme));
    if (parser.stack.length <= limits.maxDepth * TOKENS_PER_LEVEL) continue;
    tooDeepAt = parser.offset;
    break;
  }
  if (tooDeepAt === null) tokens.push(...parser.end());
  // Repeated keys are found by `toValue`, in linear time.
  const composer = new Composer({ lineCounter, prettyErrors: false, logLevel: 'silent', uniqueKeys: false });
  return { documents: [...composer.compose(tokens)], tooDeepAt };
}

function syntaxFault(origin: Origin, message: string, hint = ''): Finding {
  return { severity: 'error', code: FAULT_CODES.syntax, resource: null, field: '', origin, message, hint };
}

function sentence(fault: YAMLError): string {
  const message = shorten(fault.message).replaceAll(/\s+/g, ' ').trim().replace(/[.:]$/, '');
  return shorten(`this is not YAML: ${message.charAt(0).toLowerCase()}${message.slice(1)}`);
}

function hintFor(fault: YAMLError): string {
  switch (fault.code) {
    case 'TAB_AS_INDENT':
      return 'Indent with spaces.';
    case 'BAD_INDENT':
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'MULTILINE_IMPLICIT_KEY':
      return 'Check the indentation of this line and of the one before it.';
    default:
      return '';
  }
}
