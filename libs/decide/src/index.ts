export { decide, type DecideOptions, type Question } from './decide.ts';
export type * from './decision.ts';
export type { AskedConnection, AskedRequest, Draws } from './facts.ts';
export type { CompilePolicy } from './http.ts';
export type { Resources } from './resources.ts';
