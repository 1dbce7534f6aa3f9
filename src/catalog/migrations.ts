import type { Kysely, Transaction } from 'kysely';
import { stateNewer } from '../domain/state-error.ts';
import type { CatalogTables } from './schema.ts';

/** A change of the tables. It is applied once, whole or not at all, and never changed after a release: a later one
 *  follows it. Written with the schema builder, in types that SQLite and PostgreSQL both have. */
export interface Migration {
  readonly name: string;
  up(tables: Transaction<CatalogTables>): Promise<void>;
}

const pointsAndEvidence: Migration = {
  name: '001-points',
  async up(tables) {
    const key = ['repository', 'location'] as const;
    await tables.schema
      .createTable('points')
      .addColumn('repository', 'text', (column) => column.notNull())
      .addColumn('location', 'text', (column) => column.notNull())
      .addColumn('id', 'text', (column) => column.notNull())
      .addColumn('service', 'text', (column) => column.notNull())
      .addColumn('point_timestamp', 'text', (column) => column.notNull())
      .addColumn('outcome', 'text', (column) => column.notNull())
      .addColumn('total_size', 'bigint', (column) => column.notNull())
      .addColumn('evidence', 'text', (column) => column.notNull())
      .addColumn('evidence_at', 'text', (column) => column.notNull())
      .addColumn('hold_reason', 'text')
      .addColumn('hold_at', 'text')
      .addColumn('hold_by', 'text')
      .addColumn('is_foreign', 'integer', (column) => column.notNull())
      .addColumn('plan', 'text')
      .addColumn('point_type', 'text', (column) => column.notNull())
      .addColumn('origin', 'text')
      .addColumn('items', 'text', (column) => column.notNull())
      .addColumn('missing_since', 'text')
      .addPrimaryKeyConstraint('points_key', [...key])
      .execute();
    await tables.schema.createIndex('points_by_id').on('points').column('id').execute();
    await tables.schema.createIndex('points_by_service').on('points').columns(['service', 'point_timestamp']).execute();
    await tables.schema
      .createTable('manifests')
      .addColumn('repository', 'text', (column) => column.notNull())
      .addColumn('location', 'text', (column) => column.notNull())
      .addColumn('manifest', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('manifests_key', [...key])
      .addForeignKeyConstraint('manifests_point', [...key], 'points', [...key], (of) => of.onDelete('cascade'))
      .execute();
    await tables.schema
      .createTable('evidence')
      .addColumn('repository', 'text', (column) => column.notNull())
      .addColumn('location', 'text', (column) => column.notNull())
      .addColumn('evidence', 'text', (column) => column.notNull())
      .addColumn('evidence_at', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('evidence_key', [...key, 'evidence_at', 'evidence'])
      .addForeignKeyConstraint('evidence_point', [...key], 'points', [...key], (of) => of.onDelete('cascade'))
      .execute();
  },
};

const runsAndHistory: Migration = {
  name: '002-runs-and-history',
  async up(tables) {
    await tables.schema
      .createTable('runs')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('verb', 'text', (column) => column.notNull())
      .addColumn('plan', 'text')
      .addColumn('services', 'text', (column) => column.notNull())
      .addColumn('started_at', 'text', (column) => column.notNull())
      .addColumn('duration_ms', 'double precision', (column) => column.notNull())
      .addColumn('outcome', 'text', (column) => column.notNull())
      .addColumn('detail', 'text', (column) => column.notNull())
      .execute();
    await tables.schema.createIndex('runs_by_time').on('runs').columns(['started_at', 'id']).execute();
    await tables.schema
      .createTable('recoveries')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('subject_kind', 'text', (column) => column.notNull())
      .addColumn('subject_name', 'text', (column) => column.notNull())
      .addColumn('restored', 'text', (column) => column.notNull())
      .addColumn('reason', 'text', (column) => column.notNull())
      .addColumn('started_at', 'text', (column) => column.notNull())
      .addColumn('duration_ms', 'double precision', (column) => column.notNull())
      .addColumn('outcome', 'text', (column) => column.notNull())
      .execute();
    await tables.schema
      .createTable('kept_states')
      .addColumn('host', 'text', (column) => column.notNull())
      .addColumn('path', 'text', (column) => column.notNull())
      .addColumn('until_at', 'text', (column) => column.notNull())
      .addColumn('recovery', 'text', (column) => column.notNull().references('recoveries.id').onDelete('cascade'))
      .addPrimaryKeyConstraint('kept_states_key', ['host', 'path'])
      .execute();
    await tables.schema
      .createTable('snapshots')
      .addColumn('pool', 'text', (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('subvolume', 'text', (column) => column.notNull())
      .addColumn('snapshot_type', 'text', (column) => column.notNull())
      .addColumn('operation', 'text')
      .addColumn('made_at', 'text', (column) => column.notNull())
      .addColumn('outcome', 'text', (column) => column.notNull())
      .addColumn('size_bytes', 'bigint')
      .addPrimaryKeyConstraint('snapshots_key', ['pool', 'name'])
      .execute();
    await tables.schema
      .createTable('samples')
      .addColumn('series', 'text', (column) => column.notNull())
      .addColumn('subject', 'text', (column) => column.notNull())
      .addColumn('sampled_at', 'text', (column) => column.notNull())
      .addColumn('measured', 'double precision', (column) => column.notNull())
      .addPrimaryKeyConstraint('samples_key', ['series', 'sampled_at', 'subject'])
      .execute();
  },
};

const keptDatabases: Migration = {
  name: '003-kept-databases',
  async up(tables) {
    await tables.schema
      .createTable('kept_databases')
      .addColumn('service', 'text', (column) => column.notNull())
      .addColumn('source', 'text', (column) => column.notNull())
      .addColumn('database_name', 'text', (column) => column.notNull())
      .addColumn('original', 'text', (column) => column.notNull())
      .addColumn('until_at', 'text', (column) => column.notNull())
      .addColumn('recovery', 'text', (column) => column.notNull().references('recoveries.id').onDelete('cascade'))
      .addPrimaryKeyConstraint('kept_databases_key', ['service', 'source', 'database_name'])
      .execute();
  },
};

export const MIGRATIONS: readonly Migration[] = [pointsAndEvidence, runsAndHistory, keptDatabases];

/** Brings the tables to what this version knows. Each migration is one transaction with its own record: after a failure
 *  or a kill the tables are those of the one before. Two processes may do it at once.
 *  @throws StateNewer when a later version of Holdfast wrote it */
export async function migrate(database: Kysely<CatalogTables>, path: string, migrations = MIGRATIONS): Promise<void> {
  await database.schema
    .createTable('migrations')
    .ifNotExists()
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('applied_at', 'text', (column) => column.notNull())
    .execute();
  const applied = await namesOf(database);
  const unknown = [...applied].find((name) => !migrations.some((migration) => migration.name === name));
  if (unknown !== undefined) throw stateNewer('catalog', path, `tables of "${unknown}"`);
  for (const { name, up } of migrations.filter((migration) => !applied.has(migration.name)))
    await database.transaction().execute(async (tables) => {
      if ((await namesOf(tables)).has(name)) return; // another process was first
      await up(tables);
      await tables.insertInto('migrations').values({ name, applied_at: Temporal.Now.instant().toString() }).execute();
    });
}

async function namesOf(database: Kysely<CatalogTables>): Promise<Set<string>> {
  const rows = await database.selectFrom('migrations').select('name').execute();
  return new Set(rows.map(({ name }) => name));
}
