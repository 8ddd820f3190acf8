import { expect, it } from 'vitest';
import { formatTable } from './table.ts';

it('no cell ends its line, steers the terminal or moves what is beside it', () => {
  const rows = [
    ['VirtualService', 'a\nVirtualService  b'],
    ['Gateway', '\u001b[2J\u009b1A é'],
  ];
  expect(formatTable(['KIND', 'NAME'], rows)).toBe(
    ['KIND            NAME', 'VirtualService  a\\nVirtualService  b', 'Gateway         \\u001b[2J\\u009b1A é'].join(
      '\n',
    ),
  );
});
