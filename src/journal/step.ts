import { HoldfastError } from '../domain/errors.ts';
import type { KeptState, Recovery, Snapshot } from '../ports/catalog.ts';
import type { HostFiles } from '../ports/host.ts';
import type { MountTable } from '../ports/occupancy.ts';
import type { Unit, UnitReference } from '../ports/unit.ts';
import {
  confirmNewDatabase,
  type DatabaseMade,
  type DatabaseSwapped,
  type ServerReference,
  type StepDatabases,
  undoDatabaseStep,
} from './database-step.ts';
import { type ImagesTaken, takeImages } from './images-step.ts';
import {
  type CopyMade,
  type NestedMoved,
  type PoolSnapshotter,
  performPoolStep,
  recordSnapshotMade,
  type SnapshotMade,
  type SubvolumeExchanged,
  type SubvolumeRenamed,
  undoPoolStep,
} from './pool-step.ts';

/** A path got another name on the same file system. */
interface PathRenamed {
  readonly kind: 'path-renamed';
  readonly host: string;
  readonly from: string;
  /** Nothing is there before the step. */
  readonly to: string;
}

/** A folder or file of our own was made, to be filled: it bears a name that nobody else uses, and all in it is ours. */
interface PathMade {
  readonly kind: 'path-made';
  readonly host: string;
  /** Nothing is there before the step. */
  readonly path: string;
}

/** A folder was made for the scratch instances of a drill: taken back, their programs are ended, and then it is removed. */
interface ScratchMade {
  readonly kind: 'scratch-made';
  readonly host: string;
  /** Nothing is there before the step. */
  readonly path: string;
}

/** A container was made for a drill, whose name nobody else bears: taken back, it is removed with all in it. */
interface ContainerMade {
  readonly kind: 'container-made';
  readonly host: string;
  readonly name: string;
}

/** A folder was made where others may put something too, or where the present state is moved to: taken back only while
 *  there is no file in it, or below it. */
interface FolderMade {
  readonly kind: 'folder-made';
  readonly host: string;
  /** Nothing is there before the step. */
  readonly path: string;
}

/** What was made is removed, once it is of no use. There is no way back, so it is a step forward only. */
interface PathRemoved {
  readonly kind: 'path-removed';
  readonly host: string;
  readonly path: string;
}

/** A recovery is told to the catalog, by which the states that it kept are known, and removed when their time is over. */
interface RecoveryRecorded {
  readonly kind: 'recovery-recorded';
  readonly recovery: PlainRecovery;
}

/** A unit was stopped: taken back, what ran of it is started. */
interface UnitStopped {
  readonly kind: 'unit-stopped';
  readonly unit: UnitReference;
  /** What `running` told before; never empty, since what was down is not stopped. */
  readonly members: readonly string[];
  /** Those of them that went on, where some did. */
  readonly spared?: readonly string[];
}

/** A unit was started: taken back, it is stopped, before the data beneath it are. */
interface UnitStarted {
  readonly kind: 'unit-started';
  readonly unit: UnitReference;
  readonly members: readonly string[];
  /** ISO 8601: see Unit.start. */
  readonly madeAfter?: string;
}

/** A mount of this machine was taken from a subvolume. Taken back or performed, it shows the folder at `path`, whatever
 *  that is by then: the present state before a swap, the restored one after it. */
interface Remounted {
  readonly kind: 'remounted';
  readonly point: string;
  readonly path: string;
  readonly options: readonly string[];
}

/** A recovery with its times in ISO 8601. */
type PlainRecovery = Omit<Recovery, 'startedAt' | 'kept'> & {
  readonly startedAt: string;
  readonly kept: readonly PlainState[];
};
type PlainState = KeptState extends infer State
  ? State extends KeptState
    ? Omit<State, 'until'> & { readonly until: string }
    : never
  : never;

export const recoveryRecorded = (recovery: Recovery): RecoveryRecorded => ({
  kind: 'recovery-recorded',
  recovery: {
    ...recovery,
    startedAt: `${recovery.startedAt}`,
    kept: recovery.kept.map((state) => ({ ...state, until: `${state.until}` })),
  },
});

const recoveryOf = ({ startedAt, kept, ...rest }: PlainRecovery): Recovery => ({
  ...rest,
  startedAt: Temporal.Instant.from(startedAt),
  kept: kept.map((state) => ({ ...state, until: Temporal.Instant.from(state.until) })),
});

/** Something that can be taken back: plain data, because after a crash there is no closure left to call. */
export type Step =
  | PathRenamed
  | PathMade
  | ScratchMade
  | ContainerMade
  | FolderMade
  | UnitStopped
  | UnitStarted
  | CopyMade
  | SubvolumeExchanged
  | SubvolumeRenamed
  | DatabaseMade
  | DatabaseSwapped
  | Remounted;

/** Something that is still to be done after the point of no return, and can be done again. */
export type ForwardStep =
  | PathRenamed
  | PathRemoved
  | RecoveryRecorded
  | ImagesTaken
  | UnitStarted
  | SubvolumeRenamed
  | NestedMoved
  | Remounted
  | SnapshotMade;

/** What steps are taken back and performed with. */
export interface StepPorts {
  host(name: string): Promise<{ readonly files: Pick<HostFiles, 'status' | 'list' | 'rename' | 'remove'> }>;
  unit(reference: UnitReference): Promise<Pick<Unit, 'running' | 'start' | 'stop' | 'takeImagesBack'>>;
  /** One with this id is replaced. */
  recordRecovery(recovery: Recovery): Promise<void>;
  snapshotter(pool: string): Promise<PoolSnapshotter>;
  /** One that is recorded already is left as it is. */
  recordNewSnapshot(snapshot: Snapshot): Promise<void>;
  readonly mounts: Pick<MountTable, 'show'>;
  /** Ends the programs of this machine that were started for the scratch instances in a folder. */
  endScratch(path: string, signal: AbortSignal): Promise<void>;
  /** Removes a container of this machine that was made for a drill by this name; none is no error. */
  removeContainer(name: string, signal: AbortSignal): Promise<void>;
  /** @throws ConfigurationInvalid when the configuration has no such source any more */
  databases(server: ServerReference & Pick<DatabaseMade, 'drill'>): Promise<StepDatabases>;
}

/** Looks, before a step is recorded, whether its undo could ever touch what is not its own.
 *  @throws TargetExists */
export async function confirmNew(step: Step, ports: StepPorts, signal: AbortSignal): Promise<void> {
  if (step.kind === 'unit-stopped' || step.kind === 'unit-started') return; // both only lead back to what ran before
  if (step.kind === 'subvolume-exchanged' || step.kind === 'remounted') return; // they make nothing
  if (step.kind === 'container-made') return; // its name is of this drill, and an engine gives none twice
  if (step.kind === 'copy-made' || step.kind === 'subvolume-renamed') {
    const name = step.kind === 'copy-made' ? step.name : step.to;
    if (!(await (await ports.snapshotter(step.pool)).examine(name, signal)).exists) return;
    throw new HoldfastError('TargetExists', `${name} exists already in the pool ${step.pool}.`, name);
  }
  if (step.kind === 'database-made' || step.kind === 'database-swapped')
    return confirmNewDatabase(step, await ports.databases(step), signal);
  const path = step.kind === 'path-renamed' ? step.to : step.path;
  const { files } = await ports.host(step.host);
  if ((await files.status(path, signal)) !== null)
    throw new HoldfastError('TargetExists', `${path} exists already, so it cannot be made or renamed to.`, path);
}

/** Takes a step back. It may run twice, or for a step that was only intended; the end state is the same.
 *  @param cutShort whether it may not have come to its end
 *  @throws Refused when both names of a renamed path exist, since none of them may be overwritten */
export async function undo(step: Step, ports: StepPorts, cutShort: boolean, signal: AbortSignal): Promise<void> {
  if (step.kind === 'unit-stopped') return startAgain(step, await ports.unit(step.unit), cutShort, signal);
  if (step.kind === 'unit-started') return (await ports.unit(step.unit)).stop(signal);
  if (step.kind === 'remounted') return ports.mounts.show(step, signal);
  if (step.kind === 'copy-made' || step.kind === 'subvolume-exchanged' || step.kind === 'subvolume-renamed')
    return undoPoolStep(step, await ports.snapshotter(step.pool), signal);
  if (step.kind === 'database-made' || step.kind === 'database-swapped')
    return undoDatabaseStep(step, await ports.databases(step), signal);
  if (step.kind === 'container-made') return ports.removeContainer(step.name, signal);
  const { files } = await ports.host(step.host);
  if (step.kind === 'path-renamed') return renameOnce(step.to, step.from, files, signal);
  if (step.kind === 'scratch-made') await ports.endScratch(step.path, signal);
  if (step.kind === 'path-made' || step.kind === 'scratch-made') return files.remove(step.path, signal);
  if (step.kind === 'folder-made') {
    if (await holdsNoFile(step.path, files, signal)) await files.remove(step.path, signal);
    return;
  }
  return step satisfies never; // a new kind of step without its undo does not compile
}

/** An engine goes on with a stop that nobody waits for any more: what runs yet would go down after it was started. */
async function startAgain(
  { unit: reference, members, spared = [] }: UnitStopped,
  unit: Pick<Unit, 'running' | 'start' | 'stop'>,
  cutShort: boolean,
  signal: AbortSignal,
): Promise<void> {
  try {
    if (cutShort && (await unit.running(signal)).length > spared.length) await unit.stop(signal, new Set(spared));
    await unit.start(members, signal);
  } catch (error) {
    const gone = reference.kind === 'container' && error instanceof HoldfastError && error.code === 'UnitMissing';
    if (!gone) throw error; // else somebody removed it since it was stopped, and nothing is left to be started
  }
}

/** Does a step, or sees that it was done already. */
export async function perform(step: ForwardStep, ports: StepPorts, signal: AbortSignal): Promise<void> {
  if (step.kind === 'recovery-recorded') return ports.recordRecovery(recoveryOf(step.recovery));
  if (step.kind === 'unit-started') {
    const madeAfter = step.madeAfter === undefined ? undefined : Temporal.Instant.from(step.madeAfter);
    return (await ports.unit(step.unit)).start(step.members, signal, madeAfter);
  }
  if (step.kind === 'images-taken') return takeImages(step, ports.unit, signal);
  if (step.kind === 'remounted') return ports.mounts.show(step, signal);
  if (step.kind === 'snapshot-made') return recordSnapshotMade(step, ports, signal);
  if (step.kind === 'subvolume-renamed' || step.kind === 'nested-moved')
    return performPoolStep(step, await ports.snapshotter(step.pool), signal);
  const { files } = await ports.host(step.host);
  if (step.kind === 'path-renamed') return renameOnce(step.from, step.to, files, signal);
  if (step.kind === 'path-removed') return files.remove(step.path, signal);
  return step satisfies never;
}

async function holdsNoFile(
  path: string,
  files: Pick<HostFiles, 'status' | 'list'>,
  signal: AbortSignal,
): Promise<boolean> {
  const found = await files.status(path, signal);
  if (found === null) return true;
  if (found.type !== 'directory') return false;
  for (const name of await files.list(path, signal))
    if (!(await holdsNoFile(`${path}/${name}`, files, signal))) return false;
  return true;
}

async function renameOnce(
  from: string,
  to: string,
  files: Pick<HostFiles, 'status' | 'rename'>,
  signal: AbortSignal,
): Promise<void> {
  if ((await files.status(from, signal)) === null) return;
  if ((await files.status(to, signal)) !== null) {
    const message = `${from} cannot be renamed to ${to}, because something was made there meanwhile.`;
    throw new HoldfastError('Refused', message, to, { hint: `Move ${to} away, then: holdfast unlock` });
  }
  await files.rename(from, to, signal);
}
