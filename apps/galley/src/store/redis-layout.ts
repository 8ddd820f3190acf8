import { FlotillaError } from '@flotilla/runtime';
import { LAYOUT } from './redis-scripts.ts';

/** Throws `invalid` unless a verdict of the `PREPARE` script says that the store is ours. `pattern` names its keys. */
export function assertOurs([verdict, ...facts]: readonly string[], pattern: string): void {
  const elsewhere = `Choose another key prefix or database, or remove what is not needed of ${pattern}.`;
  switch (verdict) {
    case 'ok':
      return;
    case 'layout':
      throw new FlotillaError(
        'invalid',
        `the store has layout ${facts[0]} (field layout of ${pattern.replace('*', 'meta')}), and this version reads ${LAYOUT}`,
        { hint: `A newer Flotilla, or another program, wrote it: start that one. ${elsewhere}` },
      );
    case 'type':
      throw new FlotillaError('invalid', `the key ${facts[0]} is a ${facts[1]}, and the store's is a ${facts[2]}`, {
        hint: `Another program uses it. ${elsewhere}`,
      });
    default:
      throw new FlotillaError('invalid', `the key ${facts[0]} is there, and no marker says that it is a store's`, {
        hint: `Another program uses it, or the store was removed in part. ${elsewhere}`,
      });
  }
}
