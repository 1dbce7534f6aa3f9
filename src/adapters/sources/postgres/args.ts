/** psql 15: no start file, unaligned, only rows, quiet; never a question for a password; the first error ends it. */
export const psql: readonly string[] = [
  ...['--no-psqlrc', '--no-align', '--tuples-only', '--quiet', '--no-password'],
  ...['--set=ON_ERROR_STOP=1', '--set=VERBOSITY=default'],
];

/** The first cell of a query, however it looks: fields and records end with a NUL. */
export const query = (sql: string, nothing: string): string[] => [
  ...psql,
  ...['--field-separator-zero', '--record-separator-zero', `--pset=null=${nothing}`],
  `--command=${sql}`,
];

/** The custom format, not packed: the repository packs it with all cores (docs/decisions/007).
 *  @param anyBytes of a database whose texts are bytes of any kind: nothing looks into them */
export const dump = (snapshot: string, anyBytes: boolean): string[] => [
  ...['--format=custom', '--compress=0', '--no-password', '--lock-wait-timeout=600s'],
  ...(anyBytes ? ['--encoding=SQL_ASCII'] : []),
  `--snapshot=${snapshot}`,
];

export const dumpGlobals = (passwords: boolean): string[] => [
  ...['--globals-only', '--no-password'],
  ...(passwords ? [] : ['--no-role-passwords']),
];

/** What an archive on stdin holds as data, as SQL. @param file `-` for stdout */
export const readData = (file: string): string[] => ['--section=data', `--file=${file}`];

/** What an archive on stdin says of its database and of what is in it, as SQL on stdout. */
export const readDefinitions: readonly string[] = ['--create', '--schema-only', '--file=-'];

/** A database's name where a connection string would be read: quoted, so that it is never taken for one. */
const connection = (database: string): string => `dbname='${database.replaceAll(/['\\]/g, '\\$&')}'`;

/** What of an archive is restored: owners and grants, and where in the server's tablespaces things lie. */
export interface Restored {
  readonly owners: boolean;
  readonly tablespaces: boolean;
}

const left = ({ owners, tablespaces }: Restored): string[] => [
  ...(owners ? [] : ['--no-owner', '--no-acl']),
  ...(tablespaces ? [] : ['--no-tablespaces']),
];

export const restore = (database: string, restored: Restored): string[] => [
  ...['--format=custom', '--exit-on-error', '--no-password', `--dbname=${connection(database)}`],
  ...left(restored),
];

export const restoreAsScript = (restored: Restored): string[] => [
  ...['--format=custom', '--exit-on-error', '--file=-'],
  ...left(restored),
];
