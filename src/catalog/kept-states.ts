import type { Kysely, Transaction } from 'kysely';
import type { KeptPlace, KeptState, Recovery } from '../ports/catalog.ts';
import { parseInstant, printInstant } from './instant.ts';
import type { CatalogTables, KeptDatabaseRow, KeptStateRow } from './schema.ts';

/** Records what a recovery kept; the kept database that it took back is kept no more. */
export async function keepStates(
  { id: recovery, subject, restored, outcome, kept }: Recovery,
  tables: Transaction<CatalogTables>,
): Promise<void> {
  if (subject.kind === 'service' && outcome === 'success')
    await tables
      .deleteFrom('kept_databases')
      .where('service', '=', subject.name)
      .where('database_name', '=', restored)
      .execute();
  for (const state of kept) {
    const common = { until_at: printInstant(state.until), recovery };
    if ('path' in state) {
      const { host, path } = state;
      await tables
        .insertInto('kept_states')
        .values({ host, path, ...common })
        .onConflict((conflict) => conflict.columns(['host', 'path']).doUpdateSet(common))
        .execute();
    } else {
      const { service, source, database, original } = state;
      const columns = { ...common, original };
      await tables
        .insertInto('kept_databases')
        .values({ service, source, database_name: database, ...columns })
        .onConflict((conflict) => conflict.columns(['service', 'source', 'database_name']).doUpdateSet(columns))
        .execute();
    }
  }
}

/** All of them, paths before databases, each by its name. */
export async function statesKept(
  tables: Kysely<CatalogTables>,
): Promise<readonly { readonly recovery: string; readonly state: KeptState }[]> {
  const paths = await tables.selectFrom('kept_states').selectAll().orderBy('path').execute();
  const databases = await tables.selectFrom('kept_databases').selectAll().orderBy('database_name').execute();
  return [
    ...paths.map((row) => ({ recovery: row.recovery, state: pathOfRow(row) })),
    ...databases.map((row) => ({ recovery: row.recovery, state: databaseOfRow(row) })),
  ];
}

export async function forgetKept(kept: KeptPlace, tables: Kysely<CatalogTables>): Promise<void> {
  if ('path' in kept)
    await tables.deleteFrom('kept_states').where('host', '=', kept.host).where('path', '=', kept.path).execute();
  else
    await tables
      .deleteFrom('kept_databases')
      .where('service', '=', kept.service)
      .where('source', '=', kept.source)
      .where('database_name', '=', kept.database)
      .execute();
}

const pathOfRow = ({ host, path, until_at }: KeptStateRow): KeptState => ({
  host,
  path,
  until: parseInstant(until_at),
});
const databaseOfRow = ({ service, source, database_name, original, until_at }: KeptDatabaseRow): KeptState => ({
  service,
  source,
  database: database_name,
  original,
  until: parseInstant(until_at),
});
