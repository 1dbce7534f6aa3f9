import { HoldfastError } from '../../src/domain/errors.ts';
import { checkPoolName, isKeptState, isProvisional, subvolumeOf, timeInName } from '../../src/domain/pool-names.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Difference, Snapshotter, StoredSnapshot, SubvolumeState } from '../../src/ports/snapshotter.ts';

/** Contents by path. */
export type MemoryFiles = Readonly<Record<string, string>>;

interface Volume {
  readonly identity: string;
  readonly madeAt: Temporal.Instant;
  readonly readOnly: boolean;
  readonly files: Map<string, string>;
  /** Subvolumes inside it by path. */
  readonly nested: Map<string, Map<string, string>>;
}

export type FailingSnapshotterMethod = Exclude<
  keyof Snapshotter,
  'pool' | 'path' | 'snapshotsPath' | 'kind' | 'capabilities'
>;

export interface MemorySnapshotterOptions {
  readonly pool?: string;
  /** Where it pretends to be. */
  readonly path?: string;
  readonly clock: Clock;
  readonly kind?: Snapshotter['kind'];
  readonly atomic?: boolean;
  /** Names of subvolumes that are declared. */
  readonly declared?: readonly string[];
  /** In which the times in names are; UTC when left out. */
  readonly zone?: string;
}

/** A pool in memory, for the tests of operations. It passes the suite of the real ones. */
export interface MemorySnapshotter extends Snapshotter {
  /** What it answers when it is examined, and what it then refuses: a read-only pool changes nothing, a full one makes
   *  no snapshot. */
  readonly disk: { readOnly: boolean; freeShare: number; freeBytes: number };
  /** The calls that changed something, in their order: `snapshot media media-pre-x-20260501-020000`. */
  readonly changes: string[];
  /** The next call of this method rejects with this error, with nothing done. Faults of one method queue up. */
  failNext(method: FailingSnapshotterMethod, error: Error): void;
  addSubvolume(name: string, files?: MemoryFiles): void;
  addNested(name: string, path: string, files?: MemoryFiles): void;
  /** A snapshot that a person made by hand, as if a moment ago or at `madeAt`. */
  addSnapshot(name: string, files?: MemoryFiles, madeAt?: Temporal.Instant): void;
  write(name: string, path: string, content: string): void;
  removeFile(name: string, path: string): void;
  /** The files under this name of a subvolume, kept state or snapshot; null when it is not there. */
  files(name: string): MemoryFiles | null;
}

export function memorySnapshotter(options: MemorySnapshotterOptions): MemorySnapshotter {
  const { pool = 'main', path = '/pool', clock, kind = 'btrfs', atomic = true, declared = [], zone = 'UTC' } = options;
  const top = new Map<string, Volume>();
  const snapshots = new Map<string, Volume>();
  const faults = new Map<FailingSnapshotterMethod, Error[]>();
  const changes: string[] = [];
  const disk = { readOnly: false, freeShare: 0.5, freeBytes: 1024 ** 3 };
  const readOnly = kind === 'btrfs';
  let made = 0;

  const volume = (files: Iterable<readonly [string, string]>, isReadOnly: boolean, madeAt = clock.now()): Volume => ({
    ...{ identity: `${++made}`, madeAt, readOnly: isReadOnly },
    ...{ files: new Map(files), nested: new Map<string, Map<string, string>>() },
  });

  /** Where every call begins: an abort, then a queued fault. */
  function enter(method: FailingSnapshotterMethod, signal: AbortSignal, ...names: readonly (string | null)[]): void {
    signal.throwIfAborted();
    for (const name of names) if (name !== null) checkPoolName(name);
    const fault = faults.get(method)?.shift();
    if (fault) throw fault;
  }

  function change(...words: readonly string[]): void {
    if (disk.readOnly) throw new HoldfastError('PoolUnusable', `${path} is mounted read-only.`, path);
    changes.push(words.join(' '));
  }

  const names = (): string[] => [...top.keys()].filter((name) => !isKeptState(name) && !isProvisional(name));
  const missing = (code: 'SubvolumeMissing' | 'SnapshotMissing', name: string): HoldfastError =>
    new HoldfastError(code, `There is no ${name} in the pool ${pool}.`, name);

  function inPool(name: string): Volume {
    const found = top.get(name);
    if (found === undefined) throw missing('SubvolumeMissing', name);
    return found;
  }

  function takenBack(name: string): Volume {
    const found = snapshots.get(name) ?? (isKeptState(name) ? top.get(name) : undefined);
    if (found === undefined) throw missing('SnapshotMissing', name);
    return found;
  }

  function refuseWhole(): void {
    if (kind !== 'btrfs') throw new HoldfastError('Unsupported', `${path} itself cannot be snapshotted.`, pool);
  }

  function refuseTaken(name: string, among: ReadonlyMap<string, Volume>): void {
    if (among.has(name)) throw new HoldfastError('TargetExists', `${name} is there already.`, name);
  }

  const stored = (name: string, at: Volume, place: StoredSnapshot['kind']): StoredSnapshot => ({
    ...{ name, kind: place, readOnly: at.readOnly, exclusiveBytes: null },
    path: place === 'snapshot' ? `${path}/snapshots/${name}` : `${path}/${name}`,
    subvolume: subvolumeOf(name, [...declared, ...names()]),
    madeAt: timeInName(name, zone) ?? at.madeAt,
  });

  return {
    ...{ pool, path, kind, disk, changes, snapshotsPath: `${path}/snapshots` },
    capabilities: {
      instant: kind !== 'copy',
      whole: kind === 'btrfs',
      atomic,
      generations: kind === 'btrfs',
      readOnly,
    },
    subvolumes: async (signal) => {
      enter('subvolumes', signal);
      return names();
    },
    holds: async (name, signal) => {
      enter('holds', signal, name);
      return top.has(name);
    },
    examine: async (name, signal): Promise<SubvolumeState> => {
      enter('examine', signal, name);
      if (name === null) {
        refuseWhole();
        return { path, exists: true, identity: 'whole', nested: names(), readOnlyPool: disk.readOnly };
      }
      const found = top.get(name);
      return {
        ...{ path: `${path}/${name}`, exists: found !== undefined, identity: found?.identity ?? null },
        ...{ nested: [...(found?.nested.keys() ?? [])], readOnlyPool: disk.readOnly },
      };
    },
    room: async (signal) => {
      enter('room', signal);
      return { freeShare: disk.freeShare, freeBytes: disk.freeBytes };
    },
    snapshot: async (subvolume, name, signal) => {
      enter('snapshot', signal, subvolume, name);
      if (subvolume === null) refuseWhole();
      // subvolumes are all that a pool in memory holds, and a snapshot of the whole holds none of them
      const from = subvolume === null ? volume([], false) : inPool(subvolume);
      refuseTaken(name, snapshots);
      if (disk.freeBytes === 0) throw new HoldfastError('NoSpace', `The pool ${pool} is full.`, path);
      change('snapshot', subvolume ?? '.', name);
      const snapshot = volume(from.files, readOnly);
      snapshots.set(name, snapshot);
      return stored(name, snapshot, 'snapshot');
    },
    list: async (signal) => {
      enter('list', signal);
      const kept = [...top].filter(([name]) => isKeptState(name)).map(([name, at]) => stored(name, at, 'kept-state'));
      const lasting = [...snapshots].filter(([name]) => !isProvisional(name));
      const all = [...kept, ...lasting.map(([name, at]) => stored(name, at, 'snapshot'))];
      return all.toSorted((a, b) => Temporal.Instant.compare(b.madeAt, a.madeAt) || (a.name < b.name ? 1 : -1));
    },
    find: async (name, signal) => {
      enter('find', signal, name);
      const snapshot = snapshots.get(name);
      if (snapshot !== undefined) return stored(name, snapshot, 'snapshot');
      const kept = isKeptState(name) ? top.get(name) : undefined;
      return kept === undefined ? null : stored(name, kept, 'kept-state');
    },
    materialize: async (snapshot, provisional, signal) => {
      enter('materialize', signal, snapshot, provisional);
      const from = takenBack(snapshot);
      if (!isProvisional(provisional)) throw new TypeError(`${provisional} is no provisional name.`);
      refuseTaken(provisional, top);
      change('materialize', snapshot, provisional);
      top.set(provisional, volume(from.files, false));
    },
    exchange: async (left, right, signal) => {
      enter('exchange', signal, left, right);
      if (!atomic) throw new HoldfastError('Unsupported', `The pool ${pool} has no exchange.`, pool);
      const [one, other] = [inPool(left), inPool(right)];
      change('exchange', left, right);
      top.set(left, other).set(right, one);
    },
    rename: async (from, to, signal) => {
      enter('rename', signal, from, to);
      const found = inPool(from);
      refuseTaken(to, top);
      change('rename', from, to);
      top.delete(from);
      top.set(to, found);
    },
    moveNested: async (nested, from, to, signal) => {
      enter('moveNested', signal, from, to);
      const [source, target] = [inPool(from), inPool(to)];
      change('moveNested', from, to, ...nested);
      for (const inner of nested) {
        const files = source.nested.get(inner);
        if (files === undefined && !target.nested.has(inner)) throw missing('SubvolumeMissing', `${from}/${inner}`);
        if (files === undefined) continue;
        target.nested.set(inner, files);
        source.nested.delete(inner);
      }
    },
    remove: async (name, signal) => {
      enter('remove', signal, name);
      if (snapshots.has(name)) {
        change('remove', name);
        snapshots.delete(name);
        return;
      }
      const found = top.get(name);
      if (found === undefined) return;
      if (!isKeptState(name) && !isProvisional(name))
        throw new HoldfastError('Refused', `${name} is a subvolume, and no snapshot: it is not removed.`, name);
      if (found.nested.size > 0)
        throw new HoldfastError('NestedSubvolumes', `${name} holds ${[...found.nested.keys()].join(', ')}.`, name);
      change('remove', name);
      top.delete(name);
    },
    async *diff(from, to, signal, subvolume) {
      enter('diff', signal, from, ...(to === null ? [] : [to]));
      const before = takenBack(from).files;
      const owner = subvolume ?? subvolumeOf(from, [...declared, ...names()]);
      if (to === null && owner === null) throw missing('SubvolumeMissing', from);
      yield* differences(before, (to === null ? inPool(owner as string) : takenBack(to)).files);
    },
    failNext: (method, error) => void faults.set(method, [...(faults.get(method) ?? []), error]),
    addSubvolume: (name, files = {}) => void top.set(name, volume(Object.entries(files), false)),
    addNested: (name, inner, files = {}) => void inPool(name).nested.set(inner, new Map(Object.entries(files))),
    addSnapshot: (name, files = {}, madeAt = clock.now()) =>
      void snapshots.set(name, volume(Object.entries(files), readOnly, madeAt)),
    write: (name, inner, content) => void inPool(name).files.set(inner, content),
    removeFile: (name, inner) => void inPool(name).files.delete(inner),
    files: (name) => {
      const found = top.get(name) ?? snapshots.get(name);
      return found === undefined ? null : Object.fromEntries(found.files);
    },
  };
}

function* differences(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): Generator<Difference> {
  for (const path of [...new Set([...before.keys(), ...after.keys()])].sort()) {
    const [old, now] = [before.get(path), after.get(path)];
    if (old === now) continue;
    const kept = now === undefined ? 'removed' : 'modified';
    const change = old === undefined ? 'added' : kept;
    yield { path, change, bytes: Buffer.byteLength(now ?? old ?? '') };
  }
}
