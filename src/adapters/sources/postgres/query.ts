import { randomUUID } from 'node:crypto';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Cell } from '../../../ports/source.ts';
import * as args from './args.ts';
import type { Client } from './client.ts';

const QUERY_LIMIT_MS = 60_000;
/** What would change something fails, and what takes longer than the reader waits ends in the server too. */
const READ_ONLY = '-c default_transaction_read_only=on -c statement_timeout=60s';

/** The first cell of a query, as text. @throws Unsupported unless the source has one database; QueryFailed */
export async function queryDatabase(
  source: string,
  [database, ...more]: readonly string[],
  sql: string,
  client: Client,
  signal: AbortSignal,
): Promise<Cell> {
  if (database === undefined || more.length > 0)
    throw new HoldfastError('Unsupported', `${source} has not one database that could be asked.`, source, {
      hint: 'Declare a source of the one database, and ask that',
    });
  if (sql.trimStart().startsWith('\\'))
    throw new HoldfastError('QueryFailed', 'A query is SQL, and no command of psql.', source);
  const nothing = randomUUID();
  const { environment, ...psql } = client.command('psql', args.query(sql, nothing), database);
  const command = { ...psql, environment: { ...environment, PGOPTIONS: READ_ONLY } };
  try {
    const { stdout } = await client.host.run(command, { signal, limitMs: QUERY_LIMIT_MS });
    const [cell = ''] = stdout.split('\0');
    return stdout === '' || cell === nothing ? null : cell;
  } catch (error) {
    signal.throwIfAborted();
    const told = client.explain(error, database);
    if (!(told instanceof HoldfastError) || told.code === 'SourceMissing' || told.code === 'ToolMissing') throw told;
    throw new HoldfastError('QueryFailed', told.message, source, { cause: told });
  }
}
