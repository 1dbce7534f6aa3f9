/** One line of SHOW GRANTS that is of tables: MariaDB and MySQL write it alike. */
const GRANT = /^GRANT (.+) ON (?:TABLE )?(\*|`(?:[^`]|``)*`)\.(\*|`(?:[^`]|``)*`) TO /;
/** MySQL writes a role's name and not what it may. */
const UNTOLD = /^GRANT `[^`]*`@/;

interface Right {
  readonly words: string;
  readonly schema: string;
  readonly table: string;
}

/** What a dump of a database lacks because the account does not see it, in words for people; the server does not say.
 *  Nothing where what the account may is not told. Where it sees a routine's name and not its body, the dump fails.
 *  @param grants the lines of SHOW GRANTS */
export function unseenIn(database: string, grants: readonly string[]): readonly string[] {
  if (grants.some((line) => UNTOLD.test(line))) return [];
  const rights = grants.flatMap((line) => {
    const [, words, schema, table] = GRANT.exec(line) ?? [];
    return words === undefined || schema === undefined || table === undefined ? [] : [{ words, schema, table }];
  });
  if (rights.length === 0) return [];
  const here = rights.filter(({ schema }) => isOf(schema, database));
  const whole = here.filter(({ table }) => table === '*');
  const may = (among: readonly Right[], ...names: readonly string[]): boolean =>
    among.some(({ words }) => words.startsWith('ALL PRIVILEGES') || names.some((name) => has(words, name)));
  const ofRoutines = rights.filter(({ schema, table }) => isOf(schema, 'mysql') && /^(?:\*|`proc`)$/.test(table));
  const seesRoutines = may(whole, 'EXECUTE', 'ALTER ROUTINE', 'CREATE ROUTINE', 'SHOW CREATE ROUTINE', 'SHOW_ROUTINE');
  return [
    ...(may(whole, 'SELECT') ? [] : ['tables beside those that are granted (SELECT)']),
    ...(may(here, 'TRIGGER') ? [] : ['triggers (TRIGGER)']),
    ...(seesRoutines || may(ofRoutines, 'SELECT') ? [] : ['procedures and functions (SELECT on mysql.proc)']),
  ];
}

const has = (words: string, name: string): boolean => new RegExp(`(?:^|, )${name}(?:,|$)`).test(words);

/** A database is granted by a pattern: `_` is any character, `%` any number of them, and a backslash takes that away. */
function isOf(schema: string, database: string): boolean {
  if (schema === '*') return true;
  const pattern = schema.slice(1, -1).replaceAll('``', '`');
  const parts = pattern.match(/\\?./gsu) ?? [];
  const expression = parts.map((part) => {
    if (part === '_') return '.';
    if (part === '%') return '.*';
    return (part.length > 1 && part.startsWith('\\') ? part.slice(1) : part).replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&');
  });
  return new RegExp(`^${expression.join('')}$`, 'isu').test(database);
}
