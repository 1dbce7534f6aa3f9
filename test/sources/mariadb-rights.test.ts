import { expect, test } from 'vitest';
import { unseenIn } from '../../src/adapters/sources/mariadb/rights.ts';

const on = (...grants: readonly string[]): readonly string[] =>
  ['USAGE ON *.*', ...grants].map(
    (words) => `GRANT ${words.includes(' TO ') ? words : `${words} TO \`backup\`@\`%\``}`,
  );
const [TABLES, TRIGGERS, ROUTINES] = [
  'tables beside those that are granted (SELECT)',
  'triggers (TRIGGER)',
  'procedures and functions (SELECT on mysql.proc)',
];

test('what an account may not see of a database is told by its grants', () => {
  const unseen = (...grants: readonly string[]) => unseenIn('wi_ki', on(...grants));
  expect(unseen('ALL PRIVILEGES ON *.*')).toEqual([]);
  expect(unseen('ALL PRIVILEGES ON `wi\\_ki`.* TO `backup`@`%` WITH GRANT OPTION')).toEqual([]);
  expect(unseen('SELECT, SHOW VIEW, TRIGGER ON *.*')).toEqual([]);
  expect(unseen('SELECT, TRIGGER ON `wi_ki`.*', 'SELECT ON `mysql`.`proc`')).toEqual([]);
  expect(unseen('SELECT, TRIGGER, EVENT ON `wi%`.*')).toEqual([ROUTINES]);
  expect(unseen('SELECT, EXECUTE, EVENT ON `WI_KI`.*')).toEqual([TRIGGERS]);
  expect(unseen('SELECT ON `wi_ki`.`a`', 'SELECT (`x`), TRIGGER ON `wi_ki`.`b`')).toEqual([TABLES, ROUTINES]);
  expect(unseen('ALL PRIVILEGES ON `wi\\_kix`.*', 'ALL PRIVILEGES ON `other`.*')).toEqual([TABLES, TRIGGERS, ROUTINES]);
  expect(unseen('`reader`', 'SELECT, TRIGGER ON `wi_ki`.* TO `reader`', 'SELECT ON `mysql`.* TO PUBLIC')).toEqual([]);
});

test('nothing is said of an account whose rights are not told', () => {
  expect(unseenIn('wiki', [])).toEqual([]);
  expect(unseenIn('wiki', on('`reader`@`%`'))).toEqual([]);
});

test('names with backticks and signs of patterns are names', () => {
  for (const name of ['a`b', 'a.b', 'a+(b', 'ü\\x']) {
    const escaped = name.replaceAll('`', '``').replaceAll('\\', '\\\\');
    expect(unseenIn(name, on(`SELECT, TRIGGER, EXECUTE ON \`${escaped}\`.*`)), name).toEqual([]);
  }
});
