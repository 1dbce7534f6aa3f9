import { beside } from '../domain/beside.ts';
import type { ServiceDefinition, SourceDefinition } from '../domain/definitions.ts';
import { HoldfastError } from '../domain/errors.ts';
import { PROVISIONAL } from '../domain/pool-names.ts';
import { guardSnapshotName } from '../domain/snapshot-name.ts';
import { lastName, overlap, parentOf } from '../domain/tree-path.ts';
import type { Source } from '../ports/source.ts';
import type { HeldTree } from './in-place-plan.ts';
import type { ServiceContext } from './service-context.ts';
import type { TreeCopy } from './service-record.ts';
import { refuseUnsafe, withFreeName } from './snapshot.ts';

/** One tree of a service that a snapshot can hold. */
interface Holdable {
  readonly source: string;
  readonly path: string;
  readonly folder: boolean;
  readonly pool: string;
}

export interface TreePlan {
  readonly trees: readonly Holdable[];
  /** The sources that are read into the repository, since no snapshot can hold all of them. */
  readonly rest: readonly SourceDefinition[];
}

/** Which trees the file system can snapshot. A source is held as a whole or not at all, and one that lies in another, or
 *  around it, is not: its place in the other's snapshot would be empty.
 *  @param holdsStill whether nobody writes to a source meanwhile, so that a copy that is not of one moment holds databases
 *  whole
 *  @throws SourceMissing; NoSpace for a pool that is too full */
export async function planTrees(
  service: ServiceDefinition,
  sources: readonly Source[],
  holdsStill: (source: string) => boolean,
  context: ServiceContext,
  signal: AbortSignal,
): Promise<TreePlan> {
  const roots = await Promise.all(
    sources.map(async (source) => (service.host === 'local' ? await source.snapshotRoots(signal) : [])),
  );
  const all = roots.flat().map(({ path }) => path);
  const trees: Holdable[] = [];
  const rest: SourceDefinition[] = [];
  for (const [index, definition] of service.sources.entries()) {
    const own = roots[index] ?? [];
    const source = sources[index] as Source;
    const apart = own.every(({ path }) => all.every((other) => other === path || !overlap(path, other)));
    const movable = own.length > 0 && own.every(({ stays = false }) => !stays);
    const held = movable && apart ? await holdable(source, own, holdsStill(source.name), context, signal) : null;
    if (held === null) rest.push(definition);
    else trees.push(...held);
  }
  return { trees, rest };
}

async function holdable(
  source: Source,
  roots: Awaited<ReturnType<Source['snapshotRoots']>>,
  quiescent: boolean,
  context: ServiceContext,
  signal: AbortSignal,
): Promise<readonly Holdable[] | null> {
  const found: Holdable[] = [];
  let ofOneMoment = true;
  for (const { path, folder } of roots) {
    const pool = await context.treePool(path, signal);
    if (pool === null) return null;
    const snapshotter = await context.snapshotter(pool);
    const { nested, readOnlyPool } = await snapshotter.examine(lastName(path), signal);
    if ((folder && nested.length > 0) || readOnlyPool) return null;
    const subject = { pool, subvolume: lastName(path), snapshotter, definition: NOTHING_DECLARED };
    await refuseUnsafe(subject, context, signal);
    ofOneMoment &&= snapshotter.capabilities.instant || !folder;
    found.push({ source: source.name, path, folder, pool });
  }
  // file by file a copy of a database and its log are of two moments
  return ofOneMoment || quiescent || !(await source.holdsDatabases(signal)) ? found : null;
}

const NOTHING_DECLARED = { units: [], checks: [], dependsOn: [], nested: null };

/** Names of what {@link takeCopies} will make, so that they are recorded before. */
export async function nameCopies(
  { trees }: TreePlan,
  operation: string,
  at: Temporal.Instant,
  context: Pick<ServiceContext, 'snapshotter' | 'host' | 'zone'>,
  signal: AbortSignal,
): Promise<readonly TreeCopy[]> {
  const { files } = await context.host('local');
  const copies: TreeCopy[] = [];
  for (const { source, path, folder, pool } of trees) {
    const { snapshotsPath } = await context.snapshotter(pool);
    const wanted = guardSnapshotName(lastName(path), operation, at, context.zone);
    copies.push(
      await withFreeName(wanted, async (name) => {
        const place = `${snapshotsPath}/${name}`;
        if ((await files.status(place, signal)) !== null)
          throw new HoldfastError('TargetExists', `${place} is there already.`, place);
        return folder ? { source, path, pool, name } : { source, path, file: place };
      }),
    );
  }
  return copies;
}

/** Makes these copies, each whole or not at all. @throws what the snapshotter throws */
export async function takeCopies(
  copies: readonly TreeCopy[],
  context: Pick<ServiceContext, 'snapshotter' | 'host' | 'progress'>,
  signal: AbortSignal,
): Promise<void> {
  const { run, files } = await context.host('local');
  for (const copy of copies) {
    context.progress({ type: 'step', subject: copy.path, text: 'snapshot' });
    if ('pool' in copy) {
      await (await context.snapshotter(copy.pool)).snapshot(lastName(copy.path), copy.name, signal);
      continue;
    }
    const folder = parentOf(copy.file);
    if ((await files.status(folder, signal)) === null) await files.makeFolder(folder, 0o700, signal);
    await run({ program: 'cp', args: copyArgs('always', copy.path, copy.file) }, { signal });
    await run({ program: 'sync', args: ['--', copy.file] }, { signal });
  }
}

const copyArgs = (reflink: 'always' | 'auto', from: string, to: string): readonly string[] => [
  ...['--archive', '--no-target-directory', `--reflink=${reflink}`, '--', from, to],
];

/** Removes exactly these; what is gone is no error. */
export async function removeCopies(
  copies: readonly TreeCopy[],
  context: Pick<ServiceContext, 'snapshotter' | 'host'>,
  signal: AbortSignal,
): Promise<void> {
  const { files } = await context.host('local');
  for (const copy of copies)
    if ('pool' in copy) await (await context.snapshotter(copy.pool)).remove(copy.name, signal);
    else await files.remove(copy.file, signal);
}

/** How each is put in place. @param id of the run, a ULID */
export async function heldTrees(
  copies: readonly TreeCopy[],
  id: string,
  context: Pick<ServiceContext, 'snapshotter' | 'host'>,
  signal: AbortSignal,
): Promise<readonly HeldTree[]> {
  const { files, run } = await context.host('local');
  const held: HeldTree[] = [];
  for (const [index, copy] of copies.entries()) {
    const { source, path } = copy;
    if ('pool' in copy) {
      const { pool, name } = copy;
      const snapshotter = await context.snapshotter(pool);
      const there = (await snapshotter.list(signal)).some((one) => one.name === name);
      if (!there) throw gone(name);
      const provisional = `${PROVISIONAL}rollback-${id.toLowerCase()}-${index}`;
      const present = (await snapshotter.examine(lastName(path), signal)).identity ?? '';
      held.push({
        source,
        path,
        snapshot: name,
        copy: {
          staged: `${snapshotter.path}/${provisional}`,
          step: { kind: 'copy-made', pool, name: provisional, present },
          make: (own) => snapshotter.materialize(name, provisional, own),
        },
      });
      continue;
    }
    if ((await files.status(copy.file, signal)) === null) throw gone(copy.file);
    const staged = beside(path, `.holdfast-restore-${id.toLowerCase()}`);
    held.push({
      source,
      path,
      snapshot: lastName(copy.file),
      copy: {
        staged,
        step: { kind: 'path-made', host: 'local', path: staged },
        make: async (own) => {
          await run({ program: 'cp', args: copyArgs('auto', copy.file, staged) }, { signal: own });
          await run({ program: 'sync', args: ['--', staged] }, { signal: own });
        },
      },
    });
  }
  return held;
}

const gone = (name: string): HoldfastError =>
  new HoldfastError('SnapshotMissing', `The snapshot ${name} of this point is gone.`, name, {
    hint: 'Take back what is left of it: holdfast list, holdfast snapshot list',
  });
