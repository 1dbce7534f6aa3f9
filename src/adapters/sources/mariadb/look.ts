import { HoldfastError } from '../../../domain/errors.ts';
import { refuseOlderTool } from '../server/versions.ts';
import { literal } from './args.ts';
import type { Client } from './client.ts';
import { type MariadbSettings, namedDatabases } from './config.ts';
import { fromHex } from './objects.ts';
import { unseenIn } from './rights.ts';

/** A database as a capture finds it. */
export interface SeenDatabase {
  readonly name: string;
  readonly missing: boolean;
  /** What its tables hold on disk, about; null when it cannot be told. */
  readonly bytes: number | null;
  readonly characterSet: string;
  readonly collation: string;
  /** What the account does not see of it, in words. */
  readonly unseen: readonly string[];
}

/** A table whose rows a dump has. */
export interface SeenTable {
  readonly name: string;
  /** False where its engine gives no view of one moment (MyISAM, Aria, MEMORY, …). */
  readonly transactional: boolean;
  /** A dump has the rows of today, and not those of before. */
  readonly versioned: boolean;
  /** Its rows are those of other tables, and in no dump of its own. */
  readonly borrowed: boolean;
}

/** The server's own. */
const SYSTEM = ['information_schema', 'performance_schema', 'mysql', 'sys'];

/** What a restore in place made or kept is no database of the service. */
export const isOurs = (database: string): boolean =>
  /^holdfast_restore_[0-9a-z]{26}_\d+$|_recovery_backup_\d{8}_\d{6}(?:_\d+)?$/.test(database);

const SERVER = 'SELECT VERSION()';
const DATABASES = `SELECT HEX(CONVERT(SCHEMA_NAME USING utf8mb4)), DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME
  FROM information_schema.SCHEMATA ORDER BY SCHEMA_NAME`;
const SIZES = `SELECT HEX(CONVERT(TABLE_SCHEMA USING utf8mb4)), SUM(DATA_LENGTH) FROM information_schema.TABLES GROUP BY TABLE_SCHEMA`;

/** Finds the server and its databases. @throws SourceMissing without a server, and when none of what is named is there;
 *  SourceFailed when it lets nobody in; ToolMissing when its programs are older than it */
export async function look(
  settings: MariadbSettings,
  client: Client,
  signal: AbortSignal,
): Promise<readonly SeenDatabase[]> {
  const [[version = ''] = [], ...rows] = await client.lines(`${SERVER};${DATABASES}`, signal);
  refuseOlder(version, client);
  const sizes = new Map(
    (await client.lines(SIZES, signal)).map(([hex = '', bytes = '']) => [fromHex(hex), Number(bytes) || 0]),
  );
  const grants = (await client.lines('SHOW GRANTS', signal)).map((fields) => fields.join('\t'));
  const there = new Map(rows.map(([hex = '', ...defaults]) => [fromHex(hex), defaults]));
  const named = namedDatabases(settings);
  const own = (name: string): boolean => SYSTEM.includes(name.toLowerCase()) || isOurs(name);
  const wanted = named === 'all' ? [...there.keys()].filter((name) => !own(name)) : named;
  const databases = wanted.map((name) => {
    const [characterSet = '', collation = ''] = there.get(name) ?? [];
    const seen = { name, missing: !there.has(name), bytes: sizes.get(name) ?? null, characterSet, collation };
    return { ...seen, unseen: unseenIn(name, grants) };
  });
  const gone = databases.filter(({ missing }) => missing);
  if (databases.length > 0 && gone.length === databases.length)
    throw missingDatabase(gone.map(({ name }) => name).join(', '));
  return databases;
}

/** The programs of one maker are compared with servers of the same: the other's count their versions otherwise. */
function refuseOlder(serverVersion: string, { dump, host }: Client): void {
  const mariadb = /mariadb/i.test(serverVersion);
  if (mariadb === dump.oracle) return;
  const server = mariadb ? 'MariaDB' : 'MySQL';
  const version = /\d+(?:\.\d+)*/.exec(serverVersion.replace(/^5\.5\.5-/, ''))?.[0] ?? '0';
  const compared = { tool: dump.name, toolVersion: dump.version, server, serverVersion: version };
  refuseOlderTool({ ...compared, where: host.name }, 2);
}

/** The tables of a database, by name. */
export async function listTables(database: string, client: Client, signal: AbortSignal): Promise<readonly SeenTable[]> {
  const name = literal(database);
  const rows = await client.lines(
    `SELECT HEX(CONVERT(t.TABLE_NAME USING utf8mb4)), COALESCE(e.TRANSACTIONS, 'NO'), t.TABLE_TYPE, t.ENGINE
     FROM information_schema.TABLES t LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE
     WHERE t.TABLE_SCHEMA = ${name} AND BINARY t.TABLE_SCHEMA = BINARY ${name}
     AND t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY 1`,
    signal,
  );
  return rows.map(([hex = '', transactions, type, engine = '']) => ({
    name: fromHex(hex),
    transactional: transactions === 'YES',
    versioned: type === 'SYSTEM VERSIONED',
    borrowed: /^(?:MRG_MYISAM|MRG_ISAM|FEDERATED)$/i.test(engine), // mariadb-dump.c, check_if_ignore_table
  }));
}

export const missingDatabase = (name: string): HoldfastError =>
  new HoldfastError('SourceMissing', `The server has no database ${name}.`, name, {
    hint: 'Look at its name with SHOW DATABASES. The last good point stays',
  });
