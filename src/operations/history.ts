import { HoldfastError } from '../domain/errors.ts';
import { type DrillFact, type Figures, figuresOf } from '../domain/history.ts';
import type { Recovery, Run, Snapshot } from '../ports/catalog.ts';
import type { Context } from './context.ts';
import { drilledPointsOf } from './drill-series.ts';
import type { GuardContext } from './guard-context.ts';
import { type Kept, objectivesKept } from './objectives.ts';
import { type Replaced, replacedByRecovery } from './rollback-record.ts';

/** A verb of runs that records a change which was made without guard. */
const UNGUARDED = 'unguarded';
/** All of them: figures are over the whole history. */
const ALL = Number.MAX_SAFE_INTEGER;

export interface History {
  /** Newest first. */
  readonly snapshots: readonly Snapshot[];
  /** Newest first. */
  readonly recoveries: readonly Recovery[];
  readonly figures: Figures;
  /** What rollbacks replaced, by the ids of their recoveries. */
  readonly replaced: ReadonlyMap<string, readonly Replaced[]>;
  /** How guarded commands ended, by the name of their snapshot. */
  readonly ends: ReadonlyMap<string, GuardedEnd>;
  /** By the names of configured services. */
  readonly kept: ReadonlyMap<string, Kept>;
}

export interface GuardedEnd {
  /** Null when nothing was run. */
  readonly commandExit: number | null;
  readonly rolledBack: boolean;
}

/** Snapshots, recoveries and what they come to (interface, section 5). */
export async function history(
  context: Pick<GuardContext, 'catalog' | 'services' | 'clock' | 'pools' | 'snapshotter'>,
  signal: AbortSignal,
): Promise<History> {
  const { catalog } = context;
  const recorded = await catalog.snapshots({});
  const recoveries = await catalog.recoveries({ limit: ALL });
  const snapshots = await withSizes(recorded, context, signal);
  const guards = await catalog.runs({ verb: 'guard', limit: ALL });
  const drills = await catalog.runs({ verb: 'drill', limit: ALL });
  const unguarded = await catalog.runs({ verb: UNGUARDED, limit: ALL });
  const facts = recoveries.map(({ subject, durationMs, outcome }) => ({
    subject: subject.name,
    seconds: durationMs / 1000,
    success: outcome === 'success',
  }));
  const passed: readonly DrillFact[] = drills
    .flatMap(drilledPointsOf)
    .filter(({ outcome, whole }) => outcome === 'passed' && whole)
    .flatMap(({ service, rtoMs }) => (rtoMs === null ? [] : [{ subject: service, seconds: rtoMs / 1000 }]));
  const guardedRuns = guards.filter(({ detail }) => isProtected(detail)).length;
  const withoutPoint = guards.length - guardedRuns;
  const figures = figuresOf(guardedRuns, unguarded.length + withoutPoint, facts, passed);
  const kept = await objectivesKept(drills, context);
  return { snapshots, recoveries, figures, kept, ends: endsOf(guards), replaced: await replacedByRecovery(catalog) };
}

/** What a snapshot holds alone is not known when it is made, and grows as its subvolume changes: it is asked for where the
 *  file system counts it. A pool that cannot be read tells nothing of its snapshots. */
async function withSizes(
  recorded: readonly Snapshot[],
  { pools, snapshotter }: Pick<GuardContext, 'pools' | 'snapshotter'>,
  signal: AbortSignal,
): Promise<readonly Snapshot[]> {
  const sizes = new Map<string, number | null>();
  for (const pool of pools.keys()) {
    if (!recorded.some((one) => one.pool === pool)) continue;
    try {
      const stored = await (await snapshotter(pool)).list(signal);
      for (const { name, exclusiveBytes } of stored) sizes.set(`${pool}/${name}`, exclusiveBytes);
    } catch {
      signal.throwIfAborted();
    }
  }
  return recorded.map((one) => ({ ...one, sizeBytes: sizes.get(`${one.pool}/${one.name}`) ?? one.sizeBytes }));
}

const endsOf = (guards: readonly Run[]): ReadonlyMap<string, GuardedEnd> =>
  new Map(
    guards.flatMap(({ detail }) => {
      const end = detail as (Partial<GuardedEnd> & { readonly snapshot?: string | null }) | null;
      if (typeof end?.snapshot !== 'string') return [];
      return [[end.snapshot, { commandExit: end.commandExit ?? null, rolledBack: end.rolledBack ?? false }] as const];
    }),
  );

/** A guard that saw no need of a point protected nothing. */
const isProtected = (detail: unknown): boolean => (detail as { readonly snapshot?: unknown } | null)?.snapshot !== null;

/** Counts a change that was made without guard. @throws Usage for a name without a letter */
export async function recordUnguarded(
  { operation }: { readonly operation: string },
  { catalog, clock, identifiers }: Pick<Context, 'catalog' | 'clock' | 'identifiers'>,
): Promise<void> {
  if (operation.trim() === '') throw new HoldfastError('Usage', 'An operation needs a name.', 'operation');
  const at = clock.now();
  await catalog.recordRun({
    id: identifiers.next(at),
    verb: UNGUARDED,
    plan: null,
    services: [],
    startedAt: at,
    durationMs: 0,
    outcome: 'passed',
    detail: { operation },
  });
}
