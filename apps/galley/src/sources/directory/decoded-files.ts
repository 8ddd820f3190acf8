import { FAULT_CODES, formatKey, formatOrigin } from '@flotilla/model';
import type { Finding } from '@flotilla/model';
import { FlotillaError } from '@flotilla/runtime';
import type { Checker } from '../../check/checking.ts';
import type { Candidate } from '../../decode/candidate.ts';
import type { DecodedDocuments } from '../../decode/decode-documents.ts';
import type { SourceState } from '../source.ts';
import type { ScannedFile } from './scan.ts';

interface DecodedFile {
  readonly text: string;
  /** Or why it is not to be tried again: it took more than a file may take. */
  readonly decoded: DecodedDocuments | FlotillaError;
}

/** Has the files of a directory decoded off the serving thread, and only those whose text changed since the last time. */
export class DecodedFiles {
  readonly #defaultNamespace: string;
  readonly #checker: Pick<Checker, 'decodeFile'>;
  #files: ReadonlyMap<string, DecodedFile> = new Map();

  constructor(defaultNamespace: string, checker: Pick<Checker, 'decodeFile'>) {
    this.#defaultNamespace = defaultNamespace;
    this.#checker = checker;
  }

  /** Not to be called again before it is done. Fails with `unavailable` when the signal fires, and has then learnt nothing. */
  async update(scanned: ReadonlyMap<string, ScannedFile>, signal: AbortSignal): Promise<SourceState> {
    const state = {
      candidates: new Map<string, Candidate>(),
      refused: new Set<string>(),
      unclear: new Set<string>(),
      empty: new Set<string>(),
      findings: new Array<Finding>(),
      ignored: new Array<string>(),
    };
    const next = new Map<string, DecodedFile>();
    for (const [path, file] of scanned) {
      if ('error' in file) {
        state.unclear.add(path);
        state.findings.push(unreadable(path, file.error.message));
        continue;
      }
      if (file.text.trim() === '') state.empty.add(path);
      const decoded = await this.#decode(path, file.text, signal);
      if (decoded instanceof FlotillaError) {
        // Any other failure is not the file's own: it is tried again.
        if (decoded.code === 'exhausted') next.set(path, { text: file.text, decoded });
        state.unclear.add(path);
        state.findings.push(unreadable(path, decoded.message));
        continue;
      }
      next.set(path, { text: file.text, decoded });
      if (!decoded.isComplete) state.unclear.add(path);
      state.findings.push(...decoded.findings);
      state.ignored.push(...decoded.ignored);
      decoded.refused.forEach((key) => state.refused.add(formatKey(key)));
      for (const candidate of decoded.candidates) addCandidate(candidate, state.candidates, state.findings);
    }
    this.#files = next;
    return state;
  }

  async #decode(path: string, text: string, signal: AbortSignal): Promise<DecodedFile['decoded']> {
    const known = this.#files.get(path);
    if (known?.text === text) return known.decoded;
    try {
      return await this.#checker.decodeFile({ source: path, yaml: text }, this.#defaultNamespace, signal);
    } catch (thrown) {
      const error = FlotillaError.from(thrown);
      if (error.code === 'unavailable') throw error;
      return error;
    }
  }
}

/** The first file that names a resource has it. */
function addCandidate(candidate: Candidate, candidates: Map<string, Candidate>, findings: Finding[]): void {
  const key = formatKey(candidate.content.key);
  const first = candidates.get(key);
  if (first === undefined) {
    candidates.set(key, candidate);
    return;
  }
  findings.push({
    severity: 'error',
    code: FAULT_CODES.repeated,
    resource: candidate.content.key,
    field: 'metadata.name',
    origin: candidate.locator.locate(['metadata', 'name'], 'value'),
    message: `the resource is written before, at ${formatOrigin(first.content.origin)}, and that one counts`,
    hint: 'Rename one of them, or remove it.',
  });
}

function unreadable(path: string, message: string): Finding {
  return {
    severity: 'error',
    code: FAULT_CODES.unreadable,
    resource: null,
    field: '',
    origin: { source: path, line: 0, column: 0 },
    message: `the file cannot be read: ${message}`,
    hint: 'What was read of it before stays in force.',
  };
}
