export { checkFormat, COMMAND_OPERATORS } from './command-operators.ts';
export { refusalsOf } from './refusals.ts';
export { isEditable, isPrime } from './rules.ts';
