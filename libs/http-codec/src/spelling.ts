/** How a message's field names are written; within the proxy they are lower-case. */
export interface Spelling {
  /** `name` is lower-case. */
  of(name: string): string;
}

/** What an HTTP/1 codec does about the case of field names (Envoy's `header_key_format`). */
export interface HeaderCase {
  /** Messages that are read are written as they came, wherever they go. */
  readonly keeps: boolean;
  /** For names without a spelling of their own; null: lower-case. */
  readonly otherwise: Spelling | null;
}

export const LOWER_CASE: HeaderCase = { keeps: false, otherwise: null };

/** `content-type` as `Content-Type`: a letter is a capital at the start and after anything that is no letter or digit. */
export const properCase: Spelling = {
  of: (name) => name.replace(/(^|[^a-z0-9])[a-z]/g, (match) => match.toUpperCase()),
};

/** Names as they came; a name that came twice keeps its first spelling (as Envoy). */
export class KeptSpelling implements Spelling {
  readonly #names = new Map<string, string>();
  readonly #otherwise: Spelling | null;

  /** `text`: the field lines of a head, checked already. */
  constructor(text: string, otherwise: Spelling | null) {
    this.#otherwise = otherwise;
    for (const [, name = ''] of text.matchAll(/(?:^|\r\n)([^:\r\n]+):/g)) {
      const lower = name.toLowerCase();
      if (!this.#names.has(lower)) this.#names.set(lower, name);
    }
  }

  of(name: string): string {
    return this.#names.get(name) ?? this.#otherwise?.of(name) ?? name;
  }
}

/** A serialised head with its names respelt. */
export function respell(head: string, spelling: Spelling): string {
  return head.replace(/\r\n([^:\r\n]+):/g, (_match, name: string) => `\r\n${spelling.of(name)}:`);
}
