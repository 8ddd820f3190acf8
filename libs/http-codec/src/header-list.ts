import type { Spelling } from './spelling.ts';

/**
 * Header fields in order, as the flat sequence name, value, name, value … that the parser produced.
 * Names are lower-case ASCII (the parser lowers them, as Envoy's codec does); values are latin1 strings
 * without surrounding white space. A linear scan over a dozen fields beats a map on the request path.
 */
export class HeaderList {
  /** Names at even, values at odd indexes. Owned by this list; readers must not keep it across a change. */
  readonly flat: string[];
  /** How names are written in HTTP/1; null: as they are here. */
  spelling: Spelling | null = null;

  constructor(flat: string[] = []) {
    this.flat = flat;
  }

  /** From an object, for tests and local replies. */
  static of(fields: Readonly<Record<string, string>>): HeaderList {
    return new HeaderList(Object.entries(fields).flatMap(([name, value]) => [name.toLowerCase(), value]));
  }

  get size(): number {
    return this.flat.length / 2;
  }

  has(name: string): boolean {
    return this.indexOf(name) !== -1;
  }

  /** First value of a field, or undefined. */
  get(name: string): string | undefined {
    const index = this.indexOf(name);
    return index === -1 ? undefined : this.flat[index + 1];
  }

  /** All values of a field joined by a comma (RFC 9110, section 5.2), or undefined. */
  getCombined(name: string): string | undefined {
    const { flat } = this;
    let combined: string | undefined;
    for (let index = 0; index < flat.length; index += 2) {
      if (flat[index] !== name) continue;
      const value = flat[index + 1] ?? '';
      combined = combined === undefined ? value : `${combined},${value}`;
    }
    return combined;
  }

  getAll(name: string): string[] {
    const { flat } = this;
    const values: string[] = [];
    for (let index = 0; index < flat.length; index += 2) {
      if (flat[index] === name) values.push(flat[index + 1] ?? '');
    }
    return values;
  }

  /** Replaces every field of this name by one, in the place of the first. */
  set(name: string, value: string): void {
    const first = this.indexOf(name);
    if (first === -1) {
      this.flat.push(name, value);
      return;
    }
    this.flat[first + 1] = value;
    this.#removeFrom(name, first + 2);
  }

  append(name: string, value: string): void {
    this.flat.push(name, value);
  }

  remove(name: string): void {
    this.#removeFrom(name, 0);
  }

  clone(): HeaderList {
    const copy = new HeaderList(this.flat.slice());
    copy.spelling = this.spelling;
    return copy;
  }

  *[Symbol.iterator](): IterableIterator<readonly [string, string]> {
    for (let index = 0; index < this.flat.length; index += 2)
      yield [this.flat[index] ?? '', this.flat[index + 1] ?? ''];
  }

  private indexOf(name: string): number {
    const { flat } = this;
    for (let index = 0; index < flat.length; index += 2) {
      if (flat[index] === name) return index;
    }
    return -1;
  }

  #removeFrom(name: string, start: number): void {
    const { flat } = this;
    let kept = start;
    for (let index = start; index < flat.length; index += 2) {
      if (flat[index] === name) continue;
      if (kept !== index) {
        flat[kept] = flat[index] ?? '';
        flat[kept + 1] = flat[index + 1] ?? '';
      }
      kept += 2;
    }
    flat.length = kept;
  }
}
