/** Steers a terminal (C0, DEL, C1: ECMA-48), ends a line for some readers, or turns the order of what follows. */
const STEERING = /[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu;
const STEERING_IN_LINES = /(?![\n\t])[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu;

/** A text that others chose, for one line of a log or terminal: what steers those is written as JSON writes it (`\n`, `\u001b`). */
export function printable(text: string): string {
  return text.replace(STEERING, escaped);
}

/** Like `printable`, for a text of several lines: their ends and tabs stay. */
export function printableLines(text: string): string {
  return text.replace(STEERING_IN_LINES, escaped);
}

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escaped(char: string): string {
  return SHORT[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
