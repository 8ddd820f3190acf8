import { isAbsolute, resolve } from 'node:path';
import type { Logger } from '@flotilla/observe';
import type { Clock } from '@flotilla/runtime';
import type { Checker } from '../../check/checking.ts';
import type { ConfigSource } from '../source.ts';
import { DecodedFiles } from './decoded-files.ts';
import { scanDirectory } from './scan.ts';
import { watchDirectory } from './watch.ts';

export interface DirectorySourceOptions {
  /** Shown in messages as it is given here. */
  readonly directory: string;
  readonly defaultNamespace: string;
  /** Not closed by the source. */
  readonly checker: Pick<Checker, 'decodeFile'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A directory of YAML files, and all below it. */
export function directorySource(options: DirectorySourceOptions): ConfigSource {
  const { directory, clock, logger } = options;
  const files = new DecodedFiles(options.defaultNamespace, options.checker);
  return {
    kind: 'directory',
    place: directory,
    owner: `directory:${isAbsolute(directory) ? directory : resolve(directory)}`,
    hint: 'Name a directory that exists and can be read.',
    read: async (signal) => files.update(await scanDirectory(directory), signal),
    watch: (onChange) => watchDirectory({ directory, clock, logger, onChange }),
  };
}
