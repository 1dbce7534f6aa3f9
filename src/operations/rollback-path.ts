import { beside } from '../domain/beside.ts';
import { HoldfastError } from '../domain/errors.ts';
import { KEPT_STATE } from '../domain/pool-names.ts';
import { stampOf } from '../domain/snapshot-name.ts';
import { recoveryRecorded } from '../journal/step.ts';
import type { Recovery } from '../ports/catalog.ts';
import type { HostFiles } from '../ports/host.ts';
import type { StoredSnapshot } from '../ports/snapshotter.ts';
import { findSnapshot, type GuardContext, type Subject, unitsOf } from './guard-context.ts';
import { type PoolDetail, refuseOtherRollback, VERBS, waitForCommands } from './guards.ts';
import { freeName } from './in-place-kept.ts';
import { refuseOccupied, refuseOwnPaths } from './occupancy.ts';
import { recordReplaced } from './rollback-record.ts';
import { removeEndedKeptStates } from './snapshot-removal.ts';
import { untilHealthy } from './unit-health.ts';
import { type SeenUnit, startsOf, startUnits, stopUnits, withState } from './units.ts';

export interface PathRollback {
  readonly subvolume: string;
  readonly snapshot: string;
  /** Absolute. */
  readonly path: string;
  /** Where the present state is kept; null when nothing was there. */
  readonly kept: string | null;
  readonly recovery: Recovery;
  readonly problems: readonly string[];
}

/** What taking one folder or file of a snapshot back would stop and replace. */
export interface PathRollbackPlan extends Subject {
  readonly snapshot: StoredSnapshot;
  /** Absolute: in the snapshot, and in the subvolume. */
  readonly from: string;
  readonly path: string;
  /** Where the present state goes; null when nothing is there. */
  readonly kept: string | null;
  /** In the order in which they start; each with whether it runs now. */
  readonly units: readonly SeenUnit[];
}

/** Finds out, without touching anything, what {@link rollbackPath} would do.
 *  @throws Usage for a path that leads out; PathNotFound, SnapshotMissing, Refused */
export async function planPathRollback(
  request: { readonly snapshot: string; readonly path: string },
  context: GuardContext,
  signal: AbortSignal,
): Promise<PathRollbackPlan> {
  const subject = await findSnapshot(request.snapshot, context, signal);
  const { subvolume, snapshot, snapshotter } = subject;
  const { files } = await context.host('local');
  const below = inside(request.path);
  const root = `${snapshotter.path}/${subvolume}`;
  const [from, path] = [`${snapshot.path}/${below}`, `${root}/${below}`];
  if ((await files.status(from, signal)) === null)
    throw new HoldfastError('PathNotFound', `${request.snapshot} has no ${below}.`, below, {
      hint: `See what it has: ls ${snapshot.path}`,
    });
  await refuseLinked(snapshot.path, below, files, signal);
  await refuseLinked(root, below, files, signal);
  const present = await files.status(path, signal);
  const wanted = beside(path, KEPT_STATE + stampOf(context.clock.now(), context.zone));
  const kept = present === null ? null : await freeName(wanted, files, signal);
  const units = await withState(await unitsOf(subject, context), signal);
  return { ...subject, from, path, kept, units };
}

/** Takes one folder or file of a snapshot back, by reflink where the file system can. The present state is kept beside
 *  it; the subvolume's units are stopped meanwhile.
 *  @throws TargetBusy, StateBusy: then all is as it was */
export async function rollbackPath(
  plan: PathRollbackPlan,
  context: GuardContext,
  signal: AbortSignal,
): Promise<PathRollback> {
  const { pool, subvolume, snapshot, from, path, kept } = plan;
  const { files, run } = await context.host('local');
  const at = context.clock.now();
  const fromMs = context.clock.monotonicMs();
  const id = context.identifiers.next(at);
  const staged = beside(path, `.holdfast-restore-${id.toLowerCase()}`);
  const units = plan.units.map(({ unit }) => unit);
  const until = at.add({ seconds: context.guard.keptStates });
  const recoveryOf = (outcome: Recovery['outcome']): Recovery => ({
    id,
    subject: { kind: 'subvolume', name: subvolume },
    restored: snapshot.name,
    reason: 'manual-recovery',
    startedAt: at,
    durationMs: Math.round(context.clock.monotonicMs() - fromMs),
    outcome,
    kept: kept === null ? [] : [{ host: 'local', path: kept, until }],
  });
  await waitForCommands(pool, [subvolume], context, signal);
  const detail: PoolDetail = { pool, subvolumes: [subvolume], folders: [path], snapshot: snapshot.name };
  await using journal = await (await context.journal()).begin({ verb: VERBS.rollback, subject: subvolume, detail });
  await refuseOtherRollback(journal.id, pool, [subvolume], context);
  const look = async (owned: typeof units): Promise<void> => {
    if (kept === null) return;
    const { own } = await refuseOccupied(path, owned, context, signal);
    await refuseOwnPaths(path, own, context, signal);
  };
  await look(units);
  await journal.step({ kind: 'path-made', host: 'local', path: staged }, async () => {
    const args = ['--archive', '--reflink=auto', '--no-target-directory', '--', from, staged];
    await run({ program: 'cp', args }, { signal });
    await run({ program: 'sync', args: ['--file-system', '--', staged] }, { signal });
  });
  const stopped = await stopUnits(units, journal, context, signal);
  await look([]);
  for (const [old, name] of [...(kept === null ? [] : [[path, kept] as const]), [staged, path] as const])
    await journal.step({ kind: 'path-renamed', host: 'local', from: old, to: name }, () =>
      files.rename(old, name, signal),
    );
  await journal.forwardOnly([recoveryRecorded(recoveryOf('success')), ...startsOf(stopped)]);
  const own = new AbortController().signal;
  const problems = [...(await startUnits(stopped, context, own))];
  await context.catalog.recordRecovery(recoveryOf(problems.length === 0 ? 'success' : 'failed'));
  await journal.done();
  if (problems.length === 0)
    problems.push(
      ...(await untilHealthy(
        stopped.map(({ unit }) => unit),
        context.clock,
        signal,
      )),
    );
  const recovery = recoveryOf(problems.length === 0 ? 'success' : 'failed');
  await context.catalog.recordRecovery(recovery);
  await recordReplaced(recovery, [{ path, kept, written: null }], context);
  await removeEndedKeptStates(context, signal);
  return { subvolume, snapshot: snapshot.name, path, kept, recovery, problems };
}

/** @throws Usage */
function inside(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.length > 0 && !parts.includes('..') && !path.includes('\0')) return parts.join('/');
  throw new HoldfastError('Usage', `"${path}" is no path inside a subvolume: write one relative to it.`, path);
}

/** A symbolic link on the way would lead to data that were not asked for. @throws Refused */
async function refuseLinked(root: string, below: string, files: HostFiles, signal: AbortSignal): Promise<void> {
  const parts = below.split('/').slice(0, -1);
  for (let count = 1; count <= parts.length; count++) {
    const folder = `${root}/${parts.slice(0, count).join('/')}`;
    if ((await files.status(folder, signal))?.type === 'directory') continue;
    const words = `${folder} is no folder, and ${below} would be taken back through it.`;
    throw new HoldfastError('Refused', words, folder, { hint: 'Take back the folder above it' });
  }
}
