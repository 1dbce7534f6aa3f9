import type { Kysely } from 'kysely';
import type { Catalog, KeptState, Recovery, Run, Sample, Snapshot } from '../ports/catalog.ts';
import { parseInstant, printInstant } from './instant.ts';
import { forgetKept, keepStates, statesKept } from './kept-states.ts';
import type { CatalogTables, RecoveryRow, RunRow, SampleRow, SnapshotRow } from './schema.ts';

type History = Pick<
  Catalog,
  | 'recordRun'
  | 'runs'
  | 'recordRecovery'
  | 'recoveries'
  | 'keptStates'
  | 'forgetKeptState'
  | 'recordSnapshot'
  | 'forgetSnapshot'
  | 'snapshots'
  | 'recordSamples'
  | 'samples'
  | 'forgetSamples'
>;

/** Rows in one statement: SQLite binds at most 32,766 values (SQLITE_MAX_VARIABLE_NUMBER), a sample has four. */
const BATCH = 2000;

/** The part of a catalog that knows what happened. */
export function historyTables(database: Kysely<CatalogTables>): History {
  return {
    async recordRun(run) {
      const { id, ...columns } = rowOfRun(run);
      await database
        .insertInto('runs')
        .values({ id, ...columns })
        .onConflict((conflict) => conflict.column('id').doUpdateSet(columns))
        .execute();
    },
    async runs({ verb, limit }) {
      let query = database.selectFrom('runs').selectAll().orderBy('started_at', 'desc').orderBy('id', 'desc');
      if (verb !== undefined) query = query.where('verb', '=', verb);
      return (await query.limit(limit).execute()).map(runOfRow);
    },

    async recordRecovery(recovery) {
      await database.transaction().execute(async (tables) => {
        const { id, ...columns } = rowOfRecovery(recovery);
        await tables
          .insertInto('recoveries')
          .values({ id, ...columns })
          .onConflict((conflict) => conflict.column('id').doUpdateSet(columns))
          .execute();
        await keepStates(recovery, tables);
      });
    },
    async recoveries({ limit, keeping = false }) {
      let query = database.selectFrom('recoveries').selectAll().orderBy('started_at', 'desc').orderBy('id', 'desc');
      if (keeping)
        query = query.where(({ eb, selectFrom }) =>
          eb.or([
            eb('id', 'in', selectFrom('kept_states').select('recovery')),
            eb('id', 'in', selectFrom('kept_databases').select('recovery')),
          ]),
        );
      const rows = await query.limit(limit).execute();
      const kept = Map.groupBy(await statesKept(database), ({ recovery }) => recovery);
      return rows.map((row) =>
        recoveryOfRow(
          row,
          (kept.get(row.id) ?? []).map(({ state }) => state),
        ),
      );
    },
    async keptStates({ endedBy }) {
      const states = (await statesKept(database)).map(({ state }) => state);
      const ended = states.filter(
        ({ until }) => endedBy === undefined || Temporal.Instant.compare(until, endedBy) <= 0,
      );
      return ended.toSorted((a, b) => Temporal.Instant.compare(a.until, b.until)); // those of one time stay in order
    },
    forgetKeptState: (kept) => forgetKept(kept, database),

    async recordSnapshot(snapshot) {
      const { pool, name, ...columns } = rowOfSnapshot(snapshot);
      await database
        .insertInto('snapshots')
        .values({ pool, name, ...columns })
        .onConflict((conflict) => conflict.columns(['pool', 'name']).doUpdateSet(columns))
        .execute();
    },
    async forgetSnapshot({ pool, name }) {
      await database.deleteFrom('snapshots').where('pool', '=', pool).where('name', '=', name).execute();
    },
    async snapshots({ subvolume, pool, names }) {
      let query = database.selectFrom('snapshots').selectAll().orderBy('made_at', 'desc').orderBy('name');
      if (subvolume !== undefined) query = query.where('subvolume', '=', subvolume);
      if (pool !== undefined) query = query.where('pool', '=', pool);
      if (names === undefined) return (await query.execute()).map(snapshotOfRow);
      const rows: SnapshotRow[] = [];
      for (let start = 0; start < names.length; start += BATCH)
        rows.push(...(await query.where('name', 'in', names.slice(start, start + BATCH)).execute()));
      return rows
        .toSorted((a, b) => byText(b.made_at, a.made_at) || byText(a.name, b.name)) // each batch is, all are not
        .map(snapshotOfRow);
    },

    async recordSamples(samples) {
      await database.transaction().execute(async (tables) => {
        for (let start = 0; start < samples.length; start += BATCH)
          await tables
            .insertInto('samples')
            .values(samples.slice(start, start + BATCH).map(rowOfSample))
            .onConflict((conflict) =>
              conflict
                .columns(['series', 'sampled_at', 'subject'])
                .doUpdateSet((eb) => ({ measured: eb.ref('excluded.measured') })),
            )
            .execute();
      });
    },
    async samples({ series, since }) {
      const rows = await database
        .selectFrom('samples')
        .selectAll()
        .where('series', '=', series)
        .where('sampled_at', '>=', printInstant(since))
        .orderBy('sampled_at')
        .orderBy('subject')
        .execute();
      return rows.map(sampleOfRow);
    },
    async forgetSamples(before) {
      await database.deleteFrom('samples').where('sampled_at', '<', printInstant(before)).execute();
    },
  };
}

const byText = (one: string, other: string): number => Number(one > other) - Number(one < other);

const rowOfRun = ({ startedAt, durationMs, services, detail, id, verb, plan, outcome }: Run): RunRow => ({
  id,
  verb,
  plan,
  services: JSON.stringify(services),
  started_at: printInstant(startedAt),
  duration_ms: durationMs,
  outcome,
  detail: JSON.stringify(detail ?? null),
});
const runOfRow = (row: RunRow): Run => ({
  id: row.id,
  verb: row.verb,
  plan: row.plan,
  services: JSON.parse(row.services),
  startedAt: parseInstant(row.started_at),
  durationMs: row.duration_ms,
  outcome: row.outcome as Run['outcome'],
  detail: JSON.parse(row.detail),
});

const rowOfRecovery = ({ id, subject, restored, reason, startedAt, durationMs, outcome }: Recovery): RecoveryRow => ({
  id,
  subject_kind: subject.kind,
  subject_name: subject.name,
  restored,
  reason,
  started_at: printInstant(startedAt),
  duration_ms: durationMs,
  outcome,
});
const recoveryOfRow = (row: RecoveryRow, kept: readonly KeptState[]): Recovery => ({
  id: row.id,
  subject: { kind: row.subject_kind as Recovery['subject']['kind'], name: row.subject_name },
  restored: row.restored,
  reason: row.reason as Recovery['reason'],
  startedAt: parseInstant(row.started_at),
  durationMs: row.duration_ms,
  outcome: row.outcome as Recovery['outcome'],
  kept,
});

const rowOfSnapshot = (snapshot: Snapshot): SnapshotRow => ({
  pool: snapshot.pool,
  name: snapshot.name,
  subvolume: snapshot.subvolume,
  snapshot_type: snapshot.type,
  operation: snapshot.operation,
  made_at: printInstant(snapshot.madeAt),
  outcome: snapshot.outcome,
  size_bytes: snapshot.sizeBytes,
});
const snapshotOfRow = (row: SnapshotRow): Snapshot => ({
  pool: row.pool,
  name: row.name,
  subvolume: row.subvolume,
  type: row.snapshot_type as Snapshot['type'],
  operation: row.operation,
  madeAt: parseInstant(row.made_at),
  outcome: row.outcome as Snapshot['outcome'],
  sizeBytes: row.size_bytes === null ? null : Number(row.size_bytes), // PostgreSQL's bigint comes as text
});

const rowOfSample = ({ at, series, subject, value }: Sample): SampleRow => ({
  series,
  subject,
  sampled_at: printInstant(at),
  measured: value,
});
const sampleOfRow = ({ sampled_at, series, subject, measured }: SampleRow): Sample => ({
  at: parseInstant(sampled_at),
  series,
  subject,
  value: measured,
});
