import { HoldfastError } from '../../../domain/errors.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import { isBulk } from '../../../ports/host.ts';
import type { Captured } from '../../../ports/source.ts';
import { unlessSilent } from '../server/silence.ts';
import * as args from './args.ts';
import type { Client } from './client.ts';
import { listTables, missingDatabase, type SeenDatabase, type SeenTable } from './look.ts';
import { readScript } from './read-script.ts';
import { withOddDays } from './sql-mode.ts';

/** One database as SQL, and the facts that its own INSERTs have.
 *  @throws SourceMissing, SourceFailed when the program or the server failed, however much was given */
export async function* dumpDatabase(
  database: SeenDatabase,
  client: Client,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, Captured> {
  const { name } = database;
  if (database.missing) throw missingDatabase(name);
  try {
    const tables = await listTables(name, client, signal);
    const dump = client.command(client.dump, args.dump(name, client.dump.oracle));
    const reader = readScript();
    yield beginning(database);
    const bulk = isBulk(database.bytes);
    const read = (until: AbortSignal): Bytes => client.host.read([dump], { signal: until, bulk });
    for await (const chunk of withOddDays(unlessSilent(read, name, signal))) {
      reader.take(chunk);
      yield chunk;
    }
    const facts = reader.end();
    if (typeof facts === 'string') throw notWhole(name, client, facts);
    await refuseLostTables(name, tables, facts.tables ?? {}, client, signal);
    return { facts, warnings: warningsOf(database, tables), unreadable: [] };
  } catch (error) {
    signal.throwIfAborted();
    throw client.explain(error, name);
  }
}

/** The dump of one database leaves the database's own defaults out. Names of character sets are words. */
function beginning({ characterSet, collation }: SeenDatabase): Buffer {
  return Buffer.from(`ALTER DATABASE CHARACTER SET ${characterSet} COLLATE ${collation};\n`);
}

/** A table that was there before and is there now, but not in the dump, was left out by an option file or by grants. */
async function refuseLostTables(
  database: string,
  before: readonly SeenTable[],
  dumped: Readonly<Record<string, number>>,
  client: Client,
  signal: AbortSignal,
): Promise<void> {
  const lost = before.filter(({ name }) => !(`${database}.${name}` in dumped));
  if (lost.length === 0) return;
  const still = new Set((await listTables(database, client, signal)).map(({ name }) => name));
  const names = lost.flatMap(({ name }) => (still.has(name) ? [name] : []));
  if (names.length > 0) throw notWhole(database, client, `it has no table ${names.slice(0, 5).join(', ')}`);
}

const notWhole = (database: string, { dump }: Client, why: string): HoldfastError =>
  new HoldfastError('SourceFailed', `${database}: what ${dump.name} gave is not whole: ${why}.`, database);

function warningsOf({ name: database, unseen }: SeenDatabase, tables: readonly SeenTable[]): readonly string[] {
  const say = (chosen: readonly SeenTable[], words: string): readonly string[] => {
    const shown = chosen.slice(0, 5).map(({ name }) => name);
    const more = chosen.length > 5 ? ` and ${chosen.length - 5} more` : '';
    return chosen.length === 0 ? [] : [`${database}: ${words}: ${shown.join(', ')}${more}`];
  };
  const without = `${database}: without what this account may not see, where there is any: ${unseen.join(', ')}`;
  return [
    ...(unseen.length > 0 ? [without] : []),
    ...say(
      tables.filter(({ transactional }) => !transactional),
      'these tables know no transactions, so their rows may be of a later moment than the others',
    ),
    ...say(
      tables.filter(({ versioned }) => versioned),
      'of these tables the rows of today are dumped, and not their history',
    ),
  ];
}
