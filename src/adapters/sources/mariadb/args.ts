import type { MariadbSettings } from './config.ts';

/** Text as an SQL literal that no mode, character set or client reads in another way. */
export const literal = (text: string): string => `CONVERT(x'${Buffer.from(text).toString('hex')}' USING utf8mb4)`;

/** How the server is reached. Option files are left out where the server's place is known without them: a `[mysqldump]`
 *  section may leave tables or rows out. An image keeps the place of its socket in one, so in a container they are read. */
export function connection({ mariadb: { container, socket, host, port, user, runAs } }: MariadbSettings): string[] {
  return [
    ...(container === undefined ? ['--no-defaults'] : []),
    ...(socket === undefined ? [] : [`--socket=${socket}`]),
    ...(host === undefined ? [] : [`--host=${host}`]),
    ...(socket === undefined && host === undefined && port === undefined
      ? []
      : [`--protocol=${socket === undefined ? 'TCP' : 'SOCKET'}`]),
    ...(port === undefined ? [] : [`--port=${port}`]),
    `--user=${user ?? runAs ?? 'root'}`,
    '--default-character-set=utf8mb4',
  ];
}

export const quoted = (name: string): string => `\`${name.replaceAll('`', '``')}\``;

/** Whatever the server's own defaults are, what is said to it lasts, and is not cut short. */
const LASTING =
  '--init-command=SET SESSION autocommit = 1, sql_safe_updates = 0 /*M!100100 , max_statement_time = 0 */';

/** A script from stdin into a database. */
export const load = (database: string): string[] => [
  LASTING,
  ...['--batch', '--connect-timeout=30', '--max-allowed-packet=1G', `--database=${database}`],
];

/** The client, from stdin: no column names, values as they are, the first error ends it. */
export const client = (database: string | null): string[] => [
  LASTING,
  ...['--batch', '--raw', '--skip-column-names', '--connect-timeout=30'],
  ...(database === null ? [] : [`--database=${database}`]),
];

/** The first rows of one statement as XML, in which NULL and a NUL byte can be told apart. */
export const query = (database: string): string[] => ['--xml', '--connect-timeout=30', `--database=${database}`];

/** Of MySQL's program alone: the first would make the dump unusable elsewhere, the second ask what MariaDB has not. */
const oracleOnly = (oracle: boolean): string[] => (oracle ? ['--set-gtid-purged=OFF', '--column-statistics=0'] : []);

/** One database without its own name, so that it loads into one of any name; the same bytes for the same content. What
 *  `--opt` holds is said by word, since an option file may have taken it back. Without locks: under that of a table alone
 *  MariaDB 10.11 refuses rows whose default is of a sequence (1100). */
export const dump = (database: string, oracle: boolean): string[] => [
  ...['--opt', '--quick', '--extended-insert', '--create-options', '--set-charset', '--quote-names', '--tz-utc'],
  ...['--single-transaction', '--skip-lock-tables', '--routines', '--triggers', '--events', '--hex-blob'],
  ...['--skip-no-data', '--skip-no-create-info', '--skip-force', '--skip-replace', '--skip-insert-ignore'],
  ...['--skip-add-locks', '--comments', '--skip-dump-date', '--no-tablespaces'],
  ...['--max-allowed-packet=1G', '--net-buffer-length=1M'],
  ...oracleOnly(oracle),
  ...['--', database],
];

const DEFINITIONS = [
  ...['--skip-opt', '--set-charset', '--quote-names', '--no-create-db', '--no-data', '--no-tablespaces'],
  ...['--skip-comments', '--max-allowed-packet=1G'],
];
/** What of a database is no table and no view, by kind. `hidden`: views and sequences, which are not to be looked at. */
export const definitions = (
  database: string,
  what: 'triggers' | 'routines' | 'events',
  hidden: readonly string[],
  oracle: boolean,
): string[] => [
  ...[...DEFINITIONS, '--no-create-info'],
  ...(what === 'triggers' ? ['--triggers'] : ['--skip-triggers', `--${what}`]),
  ...hidden.map((name) => `--ignore-table=${database}.${name}`),
  ...oracleOnly(oracle),
  ...['--', database],
];

/** Views, each after those that it reads: they are made as empty ones first. */
export const views = (database: string, names: readonly string[], oracle: boolean): string[] => [
  ...[...DEFINITIONS, '--add-drop-table', '--skip-triggers', ...oracleOnly(oracle)],
  ...['--', database, ...names],
];
