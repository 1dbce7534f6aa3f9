import { HoldfastError } from '../../../domain/errors.ts';
import type { Cell } from '../../../ports/source.ts';
import { literal } from './args.ts';
import type { Client } from './client.ts';

const QUERY_LIMIT_MS = 60_000;

/** One statement, prepared by the server: no second one and no command of the client is read in it. What would change
 *  something fails. The server ends what takes longer than the reader waits, under its maker's name for that. */
const readOnly = (sql: string): string =>
  [
    'SET SESSION TRANSACTION READ ONLY',
    // Each maker's server reads its own limit, and the other's is a comment to it.
    `SET /*M! SESSION max_statement_time = 60, */ /*!50708 SESSION max_execution_time = 60000, */ @holdfast = ${literal(sql)}`,
    'PREPARE holdfast FROM @holdfast',
    'EXECUTE holdfast',
  ].join(';\n');

/** The first cell of a query, as text. @throws Unsupported unless the source has one database; QueryFailed */
export async function queryDatabase(
  source: string,
  databases: readonly string[] | 'all',
  sql: string,
  open: () => Promise<Client>,
  signal: AbortSignal,
): Promise<Cell> {
  const [database, ...more] = databases === 'all' ? [] : databases;
  if (database === undefined || more.length > 0)
    throw new HoldfastError('Unsupported', `${source} has not one database that could be asked.`, source, {
      hint: 'Declare a source of the one database, and ask that',
    });
  const client = await open();
  try {
    return firstCell(await client.xml(database, readOnly(sql), QUERY_LIMIT_MS, signal));
  } catch (error) {
    signal.throwIfAborted();
    const told = client.explain(error, database);
    if (!(told instanceof HoldfastError) || told.code === 'SourceMissing' || told.code === 'ToolMissing') throw told;
    throw new HoldfastError('QueryFailed', told.message, source, { cause: told });
  }
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"' };

/** mariadb(1), --xml: the first field of the first row. Null where it is NULL, and where there is no row. */
function firstCell(xml: string): Cell {
  const row = xml.indexOf('<row>');
  if (row < 0) return null;
  const [, nil, text = ''] =
    /<field name="[^"]*"(?:( xsi:nil="true") \/>|>([^<]*)<\/field>)/.exec(xml.slice(row)) ?? [];
  return nil === undefined ? text.replaceAll(/&(lt|gt|amp|quot);/g, (_, name: string) => ENTITIES[name] ?? '') : null;
}
