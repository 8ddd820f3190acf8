import type { RouteCompileOptions } from '@flotilla/route';
import { readDataSource } from '../base/data-source.ts';
import type { ProxyContext } from '../ports/context.ts';
import { perFilterCompiler } from './filters/registry.ts';

/** What route tables of this proxy are compiled with. */
export function routeOptions(ctx: Omit<ProxyContext, 'routes' | 'extensions' | 'secrets'>): RouteCompileOptions {
  return {
    hasCluster: (name) => ctx.clusters.get(name) !== null,
    compilePerFilterConfig: perFilterCompiler(ctx),
    readDataSource,
    surroundings: ctx.surroundings,
  };
}
