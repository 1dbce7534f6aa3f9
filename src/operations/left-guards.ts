import type { OpenEntry, Repair } from '../journal/journal.ts';
import type { Catalog, Recovery, Snapshot } from '../ports/catalog.ts';
import { type PoolDetail, VERBS } from './guards.ts';
import { poolOfService } from './service-record.ts';

/** A recovery that was brought to its end. When it was a guard's own, its snapshot is not open any more. */
export async function recordFinishedRecovery(
  recovery: Recovery,
  catalog: Pick<Catalog, 'recordRecovery' | 'snapshots' | 'recordSnapshot'>,
): Promise<void> {
  await catalog.recordRecovery(recovery);
  const records = await catalog.snapshots({ subvolume: recovery.subject.name });
  const snapshot = records.find(({ name }) => name === recovery.restored);
  if (snapshot !== undefined) await settle(snapshot, recovery, catalog);
}

/** A snapshot that was made and perhaps not recorded. One that is known keeps what is known of it, unless the guard ended
 *  between its recovery and its verdict. */
export async function recordFoundSnapshot(
  snapshot: Snapshot,
  catalog: Pick<Catalog, 'snapshots' | 'recordSnapshot' | 'recoveries'>,
): Promise<void> {
  const records = await catalog.snapshots({ subvolume: snapshot.subvolume });
  const known = records.find(({ pool, name }) => pool === snapshot.pool && name === snapshot.name);
  if (known === undefined) return catalog.recordSnapshot(snapshot);
  const recoveries = await catalog.recoveries({ limit: LOOKED_AT });
  const own = recoveries.find(({ restored, subject }) => restored === known.name && subject.name === known.subvolume);
  if (own !== undefined) await settle(known, own, catalog);
}

/** Newest first: the recovery of a guard that was cut short is among the last ones. */
const LOOKED_AT = 100;

async function settle(
  snapshot: Snapshot,
  { reason, outcome, kept }: Recovery,
  catalog: Pick<Catalog, 'recordSnapshot'>,
): Promise<void> {
  // one that failed without a kept state exchanged nothing; where the subvolume was gone there was none to keep
  const own = reason !== 'manual-recovery' && (kept.length > 0 || outcome === 'success');
  if (!own || snapshot.outcome !== 'pending') return;
  await catalog.recordSnapshot({ ...snapshot, outcome: outcome === 'success' ? 'rolled_back' : 'rollback_failed' });
}

/** A repair, what became of the guard that it ended, and what a person should do about that, or about a repair that
 *  failed; null where nothing is told. */
export interface AdvisedRepair extends Repair, Advice {}

interface Advice {
  readonly became: string | null;
  readonly advice: string | null;
}

/** What to do about guards that were cut short before their verdict: their points are open still. To be asked after the
 *  repairs, since these tell the catalog what was found. */
export async function withAdvice(
  repairs: readonly Repair[],
  catalog: Pick<Catalog, 'snapshots' | 'recoveries' | 'recordSnapshot'>,
): Promise<readonly AdvisedRepair[]> {
  const advised: AdvisedRepair[] = [];
  for (const repair of repairs) {
    const left = repair.entry.verb === VERBS.guard && repair.outcome === 'finished';
    const told = left ? await adviceOn(repair.entry, catalog) : { became: null, advice: repair.hint ?? null };
    advised.push({ ...repair, ...told });
  }
  return advised;
}

type Told = Pick<Catalog, 'snapshots' | 'recoveries' | 'recordSnapshot'>;

async function adviceOn({ subject, detail }: OpenEntry, catalog: Told): Promise<Advice> {
  if ('service' in (detail as object)) {
    const { service, point } = detail as { readonly service: string; readonly point: string };
    const pool = poolOfService(service);
    const rows = await catalog.snapshots({ subvolume: service });
    const row = rows.find((one) => one.pool === pool && one.name === point);
    if (row !== undefined) await recordFoundSnapshot(row, catalog); // it may have been taken back already
    const [now] = (await catalog.snapshots({ subvolume: service })).filter(({ name }) => name === point);
    const outcome = now?.outcome ?? 'pending';
    return settled(`guard of ${service}`, point, outcome, `--service ${service} --point ${point}`);
  }
  const { pool, snapshot } = detail as PoolDetail;
  const records = await catalog.snapshots({ subvolume: subject });
  const record = records.find((one) => one.pool === pool && one.name === snapshot);
  const guard = `guard of ${subject}`;
  if (record !== undefined) return settled(guard, snapshot, record.outcome, `--snapshot ${snapshot}`);
  return { became: `${guard} was cut short before its snapshot, so its command was not started`, advice: null };
}

/** @param back the words of `rollback` for it */
function settled(guard: string, point: string, outcome: Snapshot['outcome'], back: string): Advice {
  if (outcome !== 'pending') return { became: `${guard} was cut short; ${point}: ${outcome}`, advice: null };
  return {
    became: `${guard} was cut short before its verdict`,
    advice: `take it back with: holdfast rollback ${back}; or it is well: holdfast snapshot mark ${point} success`,
  };
}
