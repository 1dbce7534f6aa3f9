import type { PoolDefinition, SubvolumeDefinition } from '../domain/definitions.ts';
import { HoldfastError } from '../domain/errors.ts';
import type { GuardSettings, SnapshotOutcome } from '../domain/guard.ts';
import { checkPoolName } from '../domain/pool-names.ts';
import type { SettleSettings } from '../domain/settling.ts';
import { newestSnapshotFirst } from '../domain/snapshot-order.ts';
import { unitReferencesOf } from '../domain/unit-reference.ts';
import type { Snapshot } from '../ports/catalog.ts';
import type { MountTable } from '../ports/occupancy.ts';
import type { Snapshotter, StoredSnapshot } from '../ports/snapshotter.ts';
import type { Unit } from '../ports/unit.ts';
import type { Validator } from '../ports/validator.ts';
import type { Context } from './context.ts';
import { downWhenMissing } from './units.ts';

/** What is checked around a change: a subvolume or a service with its units and declared checks. */
export interface Checked {
  readonly name: string;
  readonly host: string;
  readonly units: readonly Unit[];
  readonly checks: readonly unknown[];
}

/** What guard, rollback and snapshots reach beside all other operations. Pools are on this machine. */
export interface GuardContext extends Context {
  readonly pools: ReadonlyMap<string, PoolDefinition>;
  readonly guard: GuardSettings;
  /** IANA name of this machine's local time, in which names are. */
  readonly zone: string;
  readonly mounts: MountTable;
  /** Absolute paths of the state folder, a catalog's file and local repositories: none may lie on what is taken back. */
  readonly ownPaths: readonly string[];
  /** Of the machine (failed units, errors in the log), of each unit, and of each declared check. */
  validators(checked: Checked): Promise<readonly Validator[]>;
}

/** A subvolume of a pool, declared or not. */
export interface Subject {
  readonly pool: string;
  readonly subvolume: string;
  readonly definition: SubvolumeDefinition;
  readonly snapshotter: Snapshotter;
}

const UNDECLARED: SubvolumeDefinition = { units: [], checks: [], dependsOn: [], nested: null };

/** The subvolume of this name, in the pool that declares it, else in the only pool that has it.
 *  @param mayBeGone where no pool has it, the pool that has snapshots of it is meant
 *  @throws Usage, SubvolumeMissing; ConfigurationInvalid when no pool is declared */
export async function findSubvolume(
  name: string,
  context: Pick<GuardContext, 'pools' | 'snapshotter' | 'catalog'>,
  signal: AbortSignal,
  { mayBeGone = false }: { readonly mayBeGone?: boolean } = {},
): Promise<Subject> {
  checkPoolName(name);
  refuseWithoutPools(context);
  const declaring = [...context.pools.values()].filter(({ subvolumes }) => subvolumes.has(name));
  const candidates = declaring.length > 0 ? declaring : [...context.pools.values()];
  const subjects = await Promise.all(
    candidates.map(async (pool) => subjectOf(pool, name, await context.snapshotter(pool.name))),
  );
  const found: Subject[] = [];
  for (const subject of subjects)
    if ((await subject.snapshotter.subvolumes(signal)).includes(name)) found.push(subject);
  if (found.length === 0 && mayBeGone)
    for (const subject of subjects)
      if ((await knownIn(subject, context, signal)).some(({ subvolume }) => subvolume === name)) found.push(subject);
  return onlyOne(found, name, 'subvolume');
}

/** The snapshot or kept state of this name, and whose it is: by its record, else by its name. Of several pools the one that
 *  declares its subvolume is meant.
 *  @throws Usage, SnapshotMissing, SubvolumeMissing */
export async function findSnapshot(
  name: string,
  context: Pick<GuardContext, 'pools' | 'snapshotter' | 'catalog'>,
  signal: AbortSignal,
): Promise<Subject & { readonly snapshot: StoredSnapshot }> {
  checkPoolName(name);
  refuseWithoutPools(context);
  const found: (Subject & { readonly snapshot: StoredSnapshot })[] = [];
  for (const pool of context.pools.values()) {
    const snapshotter = await context.snapshotter(pool.name);
    const [stored, [record]] = await Promise.all([
      snapshotter.find(name, signal),
      context.catalog.snapshots({ pool: pool.name, names: [name] }),
    ]);
    if (stored === null) continue;
    const snapshot = asRecorded(stored, record);
    if (snapshot.subvolume === null) {
      const words = `The name ${name} does not tell whose snapshot it is.`;
      throw new HoldfastError('SubvolumeMissing', words, name, {
        hint: 'Rename it: the name of its subvolume and a hyphen come first, as in media-byhand',
      });
    }
    found.push({ ...subjectOf(pool, snapshot.subvolume, snapshotter), snapshot });
  }
  const declared = found.filter(({ definition }) => definition !== UNDECLARED);
  return onlyOne(declared.length > 0 ? declared : found, name, 'snapshot');
}

/** A snapshot as it was recorded. The record knows whose it is when the subvolume is gone, so that its name looks like
 *  another one's, and when it was made, more finely than the second in its name. */
export interface KnownSnapshot extends StoredSnapshot {
  /** Null for what nobody recorded. */
  readonly outcome: SnapshotOutcome | null;
}

const asRecorded = (stored: StoredSnapshot, record: Snapshot | undefined): KnownSnapshot => ({
  ...stored,
  subvolume: record?.subvolume ?? stored.subvolume,
  madeAt: record?.madeAt ?? stored.madeAt,
  outcome: record?.outcome ?? null,
});

/** What is stored in a pool, newest first. */
export async function knownIn(
  { pool, snapshotter }: Pick<Subject, 'pool' | 'snapshotter'>,
  { catalog }: Pick<GuardContext, 'catalog'>,
  signal: AbortSignal,
): Promise<readonly KnownSnapshot[]> {
  const listed = await snapshotter.list(signal);
  const records = await catalog.snapshots({ pool, names: listed.map(({ name }) => name) });
  const byName = new Map(records.map((record) => [record.name, record]));
  return listed.map((stored) => asRecorded(stored, byName.get(stored.name))).toSorted(newestSnapshotFirst);
}

const subjectOf = (pool: PoolDefinition, subvolume: string, snapshotter: Snapshotter): Subject => ({
  pool: pool.name,
  subvolume,
  snapshotter,
  definition: pool.subvolumes.get(subvolume) ?? UNDECLARED,
});

/** Another subvolume of the same pool. */
export const neighbour = (subject: Subject, name: string, { pools }: Pick<GuardContext, 'pools'>): Subject => ({
  ...subject,
  subvolume: name,
  definition: pools.get(subject.pool)?.subvolumes.get(name) ?? UNDECLARED,
});

function refuseWithoutPools({ pools }: Pick<GuardContext, 'pools'>): void {
  if (pools.size > 0) return;
  throw new HoldfastError(
    'ConfigurationInvalid',
    'The configuration has no pool, so there are no snapshots.',
    'pools',
    {
      hint: 'Declare where subvolumes are, as `pools`: holdfast config sample',
    },
  );
}

function onlyOne<Found extends Subject>(found: readonly Found[], name: string, what: 'subvolume' | 'snapshot'): Found {
  const [first, ...others] = found;
  if (first === undefined) {
    const code = what === 'subvolume' ? 'SubvolumeMissing' : 'SnapshotMissing';
    throw new HoldfastError(code, `No pool has a ${what} ${name}.`, name);
  }
  if (others.length === 0) return first;
  const pools = found.map(({ pool }) => pool).join(', ');
  throw new HoldfastError('Usage', `Several pools have a ${what} ${name}: ${pools}.`, name, {
    hint: 'Declare it in the pool that is meant',
  });
}

/** The declared units, in their order. One that is missing counts as down. */
export const unitsOf = async (
  { definition }: Pick<Subject, 'definition'>,
  context: Pick<GuardContext, 'unit'>,
): Promise<readonly Unit[]> =>
  Promise.all(
    unitReferencesOf(definition.units, 'local').map(async (reference) =>
      downWhenMissing(await context.unit(reference)),
    ),
  );

/** What is checked of some subvolumes, each unit once. */
export async function checkedOf(subjects: readonly Subject[], context: Pick<GuardContext, 'unit'>): Promise<Checked> {
  const units = new Map<string, Unit>();
  for (const subject of subjects) for (const unit of await unitsOf(subject, context)) units.set(keyOf(unit), unit);
  return {
    name: subjects[0]?.subvolume ?? '',
    host: 'local',
    units: [...units.values()],
    checks: subjects.flatMap(({ definition }) => definition.checks),
  };
}

export const keyOf = ({ reference }: Unit): string => JSON.stringify(reference);

export const settleSettings = ({ settle, steady, limit, retries }: GuardSettings): SettleSettings => ({
  settleMs: settle * 1000,
  steadyMs: steady * 1000,
  limitMs: limit * 1000,
  retries,
});
