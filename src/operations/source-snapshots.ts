import type { ServiceDefinition } from '../domain/definitions.ts';
import { messageOf } from '../domain/errors.ts';
import type { Item } from '../domain/manifest.ts';
import { COPIES_FOLDER, PROVISIONAL } from '../domain/pool-names.ts';
import { overlap } from '../domain/tree-path.ts';
import type { JournalEntry } from '../journal/entry.ts';
import type { SnapshotPlace, Snapshotter } from '../ports/snapshotter.ts';
import type { PathSnapshot, SnapshotRoot, Source } from '../ports/source.ts';
import type { Context } from './context.ts';

/** How a source of trees was read while its units were to be down. */
export interface SourceReading {
  readonly source: string;
  /** Of which kind the snapshot was; null when the source was read where it is, with the units down. */
  readonly snapshot: Snapshotter['kind'] | null;
  /** Why there was no snapshot; null when there was one. */
  readonly why: string | null;
}

type Ports = Pick<Context, 'snapshotPlace' | 'snapshotter' | 'journal' | 'host' | 'clock' | 'identifiers' | 'progress'>;

interface Planned {
  readonly roots: readonly (SnapshotRoot & { readonly place: SnapshotPlace })[];
}

/** Which sources of a service can be read from snapshots: a source as a whole or not at all. Nothing is made yet, and
 *  nothing is thrown: what stands in the way is the reason why the source is read where it is. */
export interface SnapshotPlan {
  readonly service: string;
  readonly sources: ReadonlyMap<string, Planned | { readonly why: string }>;
}

/** For a service of which nothing is stopped. */
export const NO_SNAPSHOTS: SnapshotPlan = { service: '', sources: new Map() };

export interface KnownOfSources {
  /** Items of the newest point: what a source held. */
  readonly latest: readonly Item[];
  /** Sources that a container may write to which goes on. */
  readonly written: ReadonlyMap<string, string>;
}

export async function planSourceSnapshots(
  service: ServiceDefinition,
  sources: readonly Source[],
  { latest, written }: KnownOfSources,
  context: Ports,
  signal: AbortSignal,
): Promise<SnapshotPlan> {
  const trees = service.host === 'local' ? sources.filter(({ capabilities }) => capabilities.tree) : [];
  const roots = new Map<string, readonly SnapshotRoot[] | { readonly why: string }>();
  for (const source of trees) roots.set(source.name, await orWhy(() => source.snapshotRoots(signal), signal));
  const all = [...roots.values()].flatMap((one) => ('why' in one ? [] : one));
  const volumes = new Set(trees.flatMap(({ name, kind }) => (kind === 'volume' ? [name] : [])));
  const planned = new Map<string, Planned | { readonly why: string }>();
  for (const [name, own] of roots) {
    const plan = async (): Promise<Planned | { readonly why: string }> => {
      if ('why' in own) return own;
      if (own.length === 0)
        return {
          why: volumes.has(name) ? 'only its engine can reach it' : 'what it reads lies on several file systems',
        };
      const other = all.find(
        ({ path }) => !own.some((root) => root.path === path) && own.some((root) => overlap(root.path, path)),
      );
      if (other !== undefined) return { why: `${other.path} is another source, and lies in it or around it` };
      const before = latest.find(({ source }) => source === name);
      return await placed(own, { before, writer: written.get(name) }, context, signal);
    };
    planned.set(name, await orWhy(plan, signal));
  }
  return { service: service.name, sources: planned };
}

async function orWhy<Result>(
  work: () => Promise<Result>,
  signal: AbortSignal,
): Promise<Result | { readonly why: string }> {
  try {
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    return { why: messageOf(error).replace(/\.$/, '') };
  }
}

/** A copy takes about as long for a file as reading takes for so many bytes of it: below that it gains nothing. */
const BYTES_WORTH_A_COPY = 20 * 1024;

async function placed(
  roots: readonly SnapshotRoot[],
  { before, writer }: { readonly before: Item | undefined; readonly writer: string | undefined },
  context: Ports,
  signal: AbortSignal,
): Promise<Planned | { readonly why: string }> {
  const found: (SnapshotRoot & { readonly place: SnapshotPlace })[] = [];
  for (const root of roots) {
    const place = await context.snapshotPlace(root.path, signal);
    if ('why' in place) return place;
    const snapshotter = await context.snapshotter(place.pool);
    const { nested } = await snapshotter.examine(place.subvolume, signal);
    const others = nested.filter((path) => !path.split('/').includes(COPIES_FOLDER)); // snapshots of other backups
    const inside = others.find((path) => overlap(`/${path}`, `/${place.inside}`));
    if (inside !== undefined) return { why: `the subvolume or mount ${inside} lies in it` };
    const { files = 0, bytes = 0 } = before?.facts ?? {};
    if (!snapshotter.capabilities.instant && files > 0 && bytes / files < BYTES_WORTH_A_COPY)
      return { why: `it holds ${files} small files, which are read as quickly as they are copied` };
    // such a copy is of no one moment, and nothing in it tells that
    if (!snapshotter.capabilities.instant && writer !== undefined)
      return { why: `container ${writer}, which goes on, can write to it` };
    if (!snapshotter.capabilities.instant && !root.folder) return { why: `${root.path} is a single file` };
    found.push({ ...root, place });
  }
  return { roots: found };
}

/** Snapshots for the time of one backup. Each is in the journal before it is made; disposing removes them, and so does
 *  the next start after a crash. */
export interface SourceSnapshots extends AsyncDisposable {
  /** Makes what was planned, once the units are down. One that fails is a reason, and its source is read where it is.
   *  @throws the signal's reason */
  take(signal: AbortSignal): Promise<void>;
  /** Of a source; none where it is read where it is. */
  of(source: string): readonly PathSnapshot[];
  readings(): readonly SourceReading[];
}

/** @param onLeft called with why snapshots could not be removed again: the journal keeps them */
export function sourceSnapshots(
  { service, sources }: SnapshotPlan,
  context: Ports,
  onLeft: (error: unknown) => void,
): SourceSnapshots {
  const taken = new Map<string, readonly PathSnapshot[]>();
  const failed = new Map<string, string>();
  const kinds = new Map<string, Snapshotter['kind']>();
  const folders = new Set<string>();
  let entry: JournalEntry | null = null;

  /** One for all sources that lie in the same subvolume: they are of one moment then. */
  const made = new Map<string, Promise<string>>();
  const makeOnce = (place: SnapshotPlace, signal: AbortSignal): Promise<string> => {
    const key = JSON.stringify([place.pool, place.subvolume]);
    const one = made.get(key) ?? make(place, made.size, signal);
    made.set(key, one);
    return one;
  };

  async function make({ pool, subvolume }: SnapshotPlace, index: number, signal: AbortSignal): Promise<string> {
    const snapshotter = await context.snapshotter(pool);
    entry ??= await (await context.journal()).begin({ verb: 'backup', subject: service, detail: { snapshots: true } });
    const now = context.clock.now();
    // with a time in its name nobody has to ask the file system when it was made
    const time = `${now}`.slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
    const name = `${PROVISIONAL}backup-${context.identifiers.next(now).toLowerCase()}-${index}-${time}`;
    folders.add(snapshotter.snapshotsPath);
    let path = '';
    await entry.step({ kind: 'copy-made', pool, name, present: '' }, async () => {
      ({ path } = await snapshotter.snapshot(subvolume, name, signal));
    });
    return path;
  }

  async function takeSource({ roots }: Planned, signal: AbortSignal): Promise<readonly PathSnapshot[]> {
    const snapshots: PathSnapshot[] = [];
    const { files } = await context.host('local');
    for (const { path, place } of roots) {
      const snapshot = await makeOnce(place, signal);
      const { capabilities } = await context.snapshotter(place.pool);
      const at = place.inside === '' ? snapshot : `${snapshot}/${place.inside}`;
      const [there, here] = await Promise.all([files.status(at, signal), files.status(path, signal)]);
      // something may be mounted there since it was planned
      const same = there !== null && here !== null && there.type === here.type;
      if (!same || (capabilities.instant && there.inode !== here.inode))
        throw new Error(`the snapshot has another ${path}`);
      snapshots.push({ path, at, identical: capabilities.instant });
    }
    return snapshots;
  }

  return {
    async take(signal) {
      for (const [source, plan] of sources) {
        if ('why' in plan) continue;
        context.progress({ type: 'step', subject: source, text: 'snapshot' });
        const result = await orWhy(() => takeSource(plan, signal), signal);
        if ('why' in result) {
          failed.set(source, result.why);
          context.progress({ type: 'warning', subject: source, text: `no snapshot could be made: ${result.why}` });
          continue;
        }
        taken.set(source, result);
        const [first] = plan.roots;
        if (first !== undefined) kinds.set(source, (await context.snapshotter(first.place.pool)).kind);
      }
    },
    of: (source) => taken.get(source) ?? [],
    readings: () =>
      [...sources].map(([source, plan]) => ({
        source,
        snapshot: kinds.get(source) ?? null,
        why: kinds.has(source) ? null : (failed.get(source) ?? ('why' in plan ? plan.why : null)),
      })),
    async [Symbol.asyncDispose]() {
      const own = entry;
      entry = null;
      try {
        await own?.[Symbol.asyncDispose]();
        await removeEmpty([...folders], context);
      } catch (error) {
        onLeft(error);
      }
    },
  };
}

/** A folder of a person shows nothing of a backup that has ended. */
async function removeEmpty(folders: readonly string[], context: Pick<Context, 'host'>): Promise<void> {
  const { run } = await context.host('local');
  const options = { signal: new AbortController().signal, limitMs: 60_000, accept: [0, 1] };
  for (const folder of folders)
    await run({ program: 'rmdir', args: ['--ignore-fail-on-non-empty', '--', folder] }, options);
}
