import { literal, quoted } from './args.ts';
import type { Client } from './client.ts';
import { fromHex } from './objects.ts';

/** A column whose default is of a sequence names that in full, and no rename changes it: what is of `former` becomes of
 *  `database`, where the tables and their sequences are by now. May be repeated. */
export async function takeSequences(
  database: string,
  former: string,
  client: Client,
  signal: AbortSignal,
): Promise<void> {
  const [wanted, instead] = [former, database].map((name) => `val(${quoted(name)}.`) as [string, string]; // nextval, lastval
  const hex = (column: string): string => `HEX(CONVERT(${column} USING utf8mb4))`;
  const rows = await client.lines(
    `SELECT ${hex('TABLE_NAME')}, ${hex('COLUMN_NAME')}, ${hex('COLUMN_DEFAULT')} FROM information_schema.COLUMNS
     WHERE BINARY TABLE_SCHEMA = BINARY ${literal(database)} AND LOCATE(${literal(wanted)}, COLUMN_DEFAULT) > 0`,
    signal,
  );
  const statements = rows.map((row) => {
    const [table = '', column = '', value = ''] = row.map(fromHex);
    const place = `${quoted(database)}.${quoted(table)} ALTER COLUMN ${quoted(column)}`;
    return `ALTER TABLE ${place} SET DEFAULT (${value.replaceAll(wanted, instead)})`;
  });
  if (statements.length > 0) await client.lines(statements.join(';\n'), signal);
}
