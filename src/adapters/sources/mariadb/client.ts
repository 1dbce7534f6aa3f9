import { HoldfastError } from '../../../domain/errors.ts';
import type { Command, Host } from '../../../ports/host.ts';
import type { ServerAddress } from '../../../ports/source.ts';
import { addressOf } from '../server/address.ts';
import { MAKE_ROOM, saysNoRoom } from '../server/full-disk.ts';
import type { Reached } from '../server/reach.ts';
import * as args from './args.ts';
import type { MariadbSettings } from './config.ts';

/** A server that is spoken to by its own programs, under whichever name they are there. */
export interface Client {
  readonly host: Host;
  readonly dump: Program;
  readonly client: Program;
  command(program: Program, words: readonly string[]): Command;
  /** Lines of what SQL prints, fields separated by tabs; values that may hold either are asked for by `HEX`.
   *  @throws SourceMissing, SourceFailed */
  lines(sql: string, signal: AbortSignal, limitMs?: number): Promise<readonly (readonly string[])[]>;
  /** What an XML query prints in a database. @throws ProcessFailed as the client ended */
  xml(database: string, sql: string, limitMs: number, signal: AbortSignal): Promise<string>;
  /** What went wrong, in words that say what to do: a server that is away, a wrong password. */
  explain(error: unknown, database: string | null): unknown;
}

/** One of the two programs. */
export interface Program {
  readonly name: string;
  readonly version: string;
  /** MySQL's own, and no MariaDB's. */
  readonly oracle: boolean;
}

/** Where Debian's and the makers' own programs look for a server when nothing is said; a port alone is of the network. */
export function serverAddress({ mariadb: settings }: MariadbSettings): ServerAddress {
  const sockets = ['/run/mysqld/mysqld.sock', '/tmp/mysql.sock', '/var/lib/mysql/mysql.sock'];
  return addressOf(settings, { port: 3306, sockets: settings.port === undefined ? sockets : [] });
}

const SQL_LIMIT_MS = 120_000;
const VERSION_LIMIT_MS = 30_000;

/** Finds the programs. @throws ToolMissing when neither name is there */
export async function clientOf(settings: MariadbSettings, reached: Reached, signal: AbortSignal): Promise<Client> {
  const { host, password } = reached;
  const { user, runAs } = settings.mariadb;
  const account = user ?? runAs ?? 'root';
  const client = await programOf(['mariadb', 'mysql'], reached, signal);
  const dump = await programOf(['mariadb-dump', 'mysqldump'], reached, signal);
  const environment = password === null ? {} : { MYSQL_PWD: password };
  const command: Client['command'] = (program, words) =>
    reached.command(program.name, [...args.connection(settings), ...words], environment);
  const explain = (error: unknown, database: string | null): unknown => explained(error, database, account);
  const ask = async (words: readonly string[], sql: string, limitMs: number, signal: AbortSignal): Promise<string> => {
    const input = (async function* () {
      yield Buffer.from(`${sql};\n`);
    })();
    return (await host.run(command(client, words), { signal, limitMs, input })).stdout;
  };
  return {
    host,
    dump,
    client,
    command,
    explain,
    async lines(sql, signal, limitMs = SQL_LIMIT_MS) {
      try {
        const printed = await ask(args.client(null), sql, limitMs, signal);
        return printed.split('\n').flatMap((line) => (line === '' ? [] : [line.split('\t')]));
      } catch (error) {
        signal.throwIfAborted();
        throw explain(error, null);
      }
    },
    xml: (database, sql, limitMs, signal) => ask(args.query(database), sql, limitMs, signal),
  };
}

async function programOf(names: readonly string[], { host, command }: Reached, signal: AbortSignal): Promise<Program> {
  let missing: unknown;
  for (const name of names) {
    try {
      const { stdout } = await host.run(command(name, ['--version']), { signal, limitMs: VERSION_LIMIT_MS });
      return { name, version: versionIn(stdout), oracle: !/mariadb/i.test(stdout) };
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof HoldfastError && error.code === 'ToolMissing')) throw error;
      missing ??= error;
    }
  }
  throw missing;
}

/** The programs have a version of their own beside the release's: `Ver 10.19 Distrib 10.11.19-MariaDB`,
 *  `from 11.4.2-MariaDB, client 15.2`, MySQL's `Ver 8.0.36 for Linux`. */
const versionIn = (printed: string): string =>
  (/(?:Distrib|from) (\d+(?:\.\d+)*)/.exec(printed) ?? /Ver (\d+(?:\.\d+)*)/.exec(printed))?.[1] ?? '0';

/** Client errors of a server that is not there, or no longer (CR_… 2002, 2003, 2005, 2006, 2012, 2013, 2055); 1053: it is
 *  shutting down. */
const AWAY = /\b(?:2002|2003|2005|2006|2012|2013|2026|2055|1053)\b/;
const NO_DATABASE = /\b1049\b|Unknown database/;
/** Characters that mariadb-dump 10.11 escapes in a name before it asks for the events and routines of that name. */
const MISREAD = /["'\\\n\r]/;
const REFUSED = /\b(?:1045|1698|1044|1130|1251|1524)\b/;

function explained(error: unknown, database: string | null, user: string): unknown {
  if (!(error instanceof HoldfastError) || error.code !== 'ProcessFailed') return error;
  const said = error.cause instanceof Error ? error.cause.message : '';
  const words = wordsOf(said) || error.message;
  const subject = database ?? error.subject;
  const named = (code: 'SourceMissing' | 'SourceFailed' | 'NoSpace', hint: string): HoldfastError =>
    new HoldfastError(code, `${subject}: ${words}`, subject, { cause: error, hint });
  const number = /(?:ERROR|error:) (\d{4})/i.exec(said)?.[1] ?? words;
  if (NO_DATABASE.test(number) && MISREAD.test(subject))
    return named('SourceFailed', '`mariadb-dump` cannot dump events or routines of a database of this name: rename it');
  if (NO_DATABASE.test(number))
    return named('SourceMissing', 'Look at its name with SHOW DATABASES. The last good point stays');
  if (REFUSED.test(number))
    return named(
      'SourceFailed',
      `Look at \`user\` (${user}) and \`password\` of the source, and at the account's grants`,
    );
  if (saysNoRoom(said)) return named('NoSpace', MAKE_ROOM);
  if (AWAY.test(number))
    return named('SourceMissing', 'Look whether the server runs, and at `container`, `socket` or `host` of the source');
  if (/\b1146\b/.test(number))
    return named(
      'SourceFailed',
      'It reads what is not there: where that is another database, restore that first: --item',
    );
  if (/\b1449\b/.test(number))
    return named(
      'SourceFailed',
      'Make the account that is named, CREATE USER: accounts are in no dump, and a view reads as its definer',
    );
  if (/references invalid table/.test(said))
    return named(
      'SourceFailed',
      'Put right or drop the view that is named: nobody can read it, and no dump can hold it',
    );
  return named('SourceFailed', 'See the whole output of the program with: --verbose');
}

/** The errors among what a program said; all of it when it names none. */
function wordsOf(said: string): string {
  const lines = said.trim().split('\n');
  const from = lines.findIndex((line) => /^ERROR|error:/i.test(line));
  return (from < 0 ? lines : lines.slice(from, from + 2)).join(' ').trim().slice(0, 400);
}
