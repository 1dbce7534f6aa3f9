import { styleText } from 'node:util';
import { expect, test } from 'vitest';
import { table } from '../../src/cli/render/table.ts';

test('a table of more rows than a call has room for arguments is printed whole', () => {
  const rows = Array.from({ length: 200_000 }, (_, row) => [String(row), 'held']);
  const lines = table([{ title: 'POINT', align: 'right' }, { title: 'STATE' }], rows).split('\n');
  expect(lines).toHaveLength(200_001);
  expect(lines[0]).toBe(' POINT  STATE');
  expect(lines.at(-1)).toBe('199999  held');
});

test('columns stand under each other also where cells have accents or colours', () => {
  const green = styleText('green', 'ok', { validateStream: false });
  const rows = [
    ['naïve', '1'],
    ['écrit', '22'],
    [green, '333'],
  ];
  expect(table([{ title: 'NAME' }, { title: 'SIZE', align: 'right' }], rows)).toBe(
    ['NAME   SIZE', 'naïve     1', 'écrit    22', `${green}      333`].join('\n'),
  );
});
