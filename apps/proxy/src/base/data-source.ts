import { readFileSync } from 'node:fs';
import type { DataSource } from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import { inField, refuse } from '@flotilla/envoy';

/** The text of a data source. Throws `invalid` when it is not set. */
export function readText(source: DataSource, path: string): string {
  const bytes = readDataSource(source, path);
  return bytes === null ? refuse(path, 'is empty') : bytes.toString('utf8');
}

/** The bytes of a data source; files and environment variables are read now. Null when it is not set. */
export function readDataSource(source: DataSource | undefined, path: string): Buffer | null {
  switch (source?.specifier.case) {
    case undefined:
      return null;
    case 'inlineString':
      return Buffer.from(source.specifier.value, 'utf8');
    case 'inlineBytes':
      return Buffer.from(source.specifier.value);
    case 'filename': {
      const { value } = source.specifier;
      return inField(`${path}.filename`, () => readFileSync(value));
    }
    case 'environmentVariable': {
      const name = source.specifier.value;
      // The configuration itself names the variable, so this is the edge where it is read.
      const text = process.env[name];
      if (text === undefined) refuse(`${path}.environment_variable`, `${name} is not set`);
      return Buffer.from(text, 'utf8');
    }
  }
}
