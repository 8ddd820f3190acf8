import { answerOf, TABLE } from './table.ts';

/** For a page: the answers of all rows, by their names. */
Object.assign(globalThis, {
  answers: () => TABLE.map((row) => [row.name, answerOf(row)]),
});
