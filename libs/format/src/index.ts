export type { CelProgram } from './cel/cel-program.ts';
export { compileCel, hasCel, loadCel } from './cel/compile-cel.ts';
export { compileFormatString, compileJson, DEFAULT_FORMAT } from './format-string.ts';
export {
  chainHeaderEdits,
  compileAddition,
  compileHeaderEdits,
  compileRemoval,
  type HeaderEdit,
  type HeaderEditFields,
  type HeaderEdits,
} from './header-edits.ts';
export { compileFormat, type FormatOptions } from './header-formatter.ts';
export { compileFilterStateValues, type SetFilterState } from './set-filter-state.ts';
export type { Surroundings } from './surroundings.ts';
