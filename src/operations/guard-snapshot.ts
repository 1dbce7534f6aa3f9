import { HoldfastError } from '../domain/errors.ts';
import { guardSnapshotName } from '../domain/snapshot-name.ts';
import type { JournalEntry } from '../journal/entry.ts';
import { snapshotMade } from '../journal/pool-step.ts';
import type { Snapshot } from '../ports/catalog.ts';
import type { GuardContext, Subject } from './guard-context.ts';
import { type PoolDetail, refuseNameOfOther, VERBS } from './guards.ts';
import { withFreeName } from './snapshot.ts';

export interface Taken extends AsyncDisposable {
  readonly snapshot: Snapshot;
  /** Open until the verdict is recorded: a crash before leaves the snapshot `pending`, and this to tell of it. */
  readonly entry: JournalEntry;
}

/** Makes the snapshot and records it. The journal knows its name beforehand, and it is never taken back: after a crash it
 *  may be all that is left of the state before the command. */
export async function takeSnapshot(
  operation: string,
  { pool, subvolume, snapshotter }: Subject,
  context: GuardContext,
  signal: AbortSignal,
): Promise<Taken> {
  const journal = await context.journal();
  const at = context.clock.now();
  return withFreeName(guardSnapshotName(subvolume, operation, at, context.zone), async (name) => {
    await using stack = new AsyncDisposableStack();
    const folders = [`${snapshotter.path}/${subvolume}`];
    const detail: PoolDetail = { pool, subvolumes: [subvolume], folders, snapshot: name };
    const entry = stack.use(await journal.begin({ verb: VERBS.guard, subject: subvolume, detail }));
    const planned: Snapshot = {
      pool,
      name,
      subvolume,
      type: 'pre-operation',
      operation,
      madeAt: at,
      outcome: 'pending',
      sizeBytes: null,
    };
    await refuseNameOfOther(entry.id, pool, name, context);
    await refuseKnown(name, snapshotter.snapshotsPath, context, signal);
    await entry.forwardOnly([snapshotMade(planned)]);
    const snapshot = { ...planned, sizeBytes: (await snapshotter.snapshot(subvolume, name, signal)).exclusiveBytes };
    await context.catalog.recordSnapshot(snapshot);
    const moved = stack.move();
    return { snapshot, entry, [Symbol.asyncDispose]: () => moved.disposeAsync() };
  });
}

/** Before the journal says that it is ours. */
async function refuseKnown(
  name: string,
  folder: string,
  { host }: Pick<GuardContext, 'host'>,
  signal: AbortSignal,
): Promise<void> {
  if ((await (await host('local')).files.status(`${folder}/${name}`, signal)) !== null)
    throw new HoldfastError('TargetExists', `${folder}/${name} is there already.`, name);
}
