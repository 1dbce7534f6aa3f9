import { uptime } from 'node:os';
import { join } from 'node:path';
import { HoldfastError } from '../../../domain/errors.ts';
import type { PointReference, RecoveryPoint } from '../../../domain/recovery-point.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import type { Draft, Lock, LockMode, LockScope, PointHeader, Repository } from '../../../ports/repository.ts';
import type { StoredFileReader } from '../../../streams/stored-file.ts';
import { addCanary, confirmKey } from './canary.ts';
import { checkRepository } from './check.ts';
import { draftOf } from './draft.ts';
import { removeDurably, replaceFile } from './durable.ts';
import { explaining, saysReadOnly } from './failures.ts';
import { folderLayout } from './folder-layout.ts';
import { initializeRepository } from './initialize.ts';
import { scopeName } from './lock-file.ts';
import { folderLocks, type HeldLock } from './locks.ts';
import { readMarker } from './marker.ts';
import { printHold } from './point-files.ts';
import { changedFiles } from './rest.ts';
import type { ArchiveSettings, ArchiveTools } from './settings.ts';
import { singleLayout } from './single-layout.ts';
import { checkedService, encryptionOf, HOLD } from './stored-names.ts';

/** Read when bytes are, so that a list does not wait for what packs and seals. */
const tarReaders = () => import('../../../streams/tar-subset.ts');

/** Recovery points as files that tar, zstd, gzip, age and gpg open (interface, section 4).
 *  @throws ConfigurationInvalid for a file name that contradicts the compression */
export function archiveRepository(settings: ArchiveSettings, given: ArchiveTools): Repository {
  const { path, name, sealing } = settings;
  const tools = { ...given, uptimeMs: given.uptimeMs ?? (() => uptime() * 1000) };
  const locks = folderLocks({ path, tools, finish: (leftover) => layout.finish(leftover) });
  const layout = settings.layout === 'folder' ? folderLayout(settings, tools) : singleLayout(settings, tools, locks);
  /** Points that this object holds exclusively, by the lock's scope: it may remove what it locked itself. */
  const exclusive = new Map<string, HeldLock>();

  /** Runs `work` when the marker is there; what the file system says is explained. */
  const present = <T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> =>
    explaining(
      path,
      async () => {
        signal.throwIfAborted();
        await readMarker(path, name);
        return work();
      },
      name,
    );

  const missing = ({ id, location }: PointReference): HoldfastError =>
    new HoldfastError('PointNotFound', `The repository ${name} has no recovery point ${id} at ${location}.`, id);

  /** The point that has the location, when it is this one. */
  async function same(reference: PointReference): Promise<RecoveryPoint | null> {
    const point = await layout.read(reference);
    return point?.id === reference.id ? point : null;
  }

  async function found(reference: PointReference): Promise<RecoveryPoint> {
    const point = await same(reference);
    if (point === null) throw missing(reference);
    return point;
  }

  async function clear(force: boolean): Promise<string[]> {
    const cleared: string[] = [];
    await locks.sweep();
    for (const { lock, stale } of await locks.survey()) {
      if (!stale && !force) continue;
      await locks.clear(lock);
      cleared.push(`${lock.mode} lock of ${lock.scope}, ${stale ? 'left' : 'held'} by ${locks.holder(lock)}`);
      if (lock.content?.leftover) cleared.push(`${lock.content.leftover.kind} ${lock.content.leftover.folder}`);
    }
    return cleared;
  }

  async function refuseSecondOrigin({ service, origin }: PointHeader): Promise<void> {
    if (settings.share) return;
    const newest = await layout.newest(service);
    if (newest === null || newest.origin === origin) return;
    const why = `The points of ${service} in ${path} were made by another machine or state folder (${newest.origin}).`;
    throw new HoldfastError('RepositoryForeignOrigin', why, service);
  }

  /** Null until the key was looked at: once for all the points of a run. */
  let canaryThere: boolean | null = null;

  async function begin(header: PointHeader, lockWaitMs: number, signal: AbortSignal): Promise<Draft> {
    const service = checkedService(header.service);
    canaryThere ??= await confirmKey(settings, tools, signal);
    await using held = new AsyncDisposableStack();
    held.use(await locks.acquire({ kind: 'repository' }, 'shared', lockWaitMs, signal));
    const leftoverOf = (token: string) => ({ kind: 'draft', folder: layout.draftFolder(service, token) }) as const;
    const lock = held.use(
      await locks.acquire({ kind: 'service', service }, 'exclusive', lockWaitMs, signal, leftoverOf),
    );
    await clear(false);
    await refuseSecondOrigin(header);
    if ((await layout.twin(header)) !== null) {
      throw new HoldfastError('Refused', `The repository ${name} has the point ${header.id} already.`, header.id);
    }
    signal.throwIfAborted();
    const leftover = leftoverOf(lock.token);
    const remove = () => layout.finish(leftover);
    try {
      const store = await layout.openDraft(header, leftover.folder);
      if (!canaryThere) await addCanary(settings, join(path, leftover.folder), tools, signal);
      canaryThere = true;
      const kept = held.move();
      return draftOf({ repository: name, header, store, lock, remove, release: () => kept.disposeAsync() });
    } catch (error) {
      await remove();
      throw error;
    }
  }

  /** An item opened when the stream is first asked for bytes, and closed with it. */
  async function* reading<T>(
    point: RecoveryPoint,
    item: string,
    signal: AbortSignal,
    use: (reader: StoredFileReader) => AsyncIterable<T> | Promise<AsyncIterable<T>>,
  ): AsyncGenerator<T> {
    await using reader = await present(signal, () => layout.reader(point, item, signal));
    try {
      for await (const one of await use(reader)) {
        yield one;
        signal.throwIfAborted();
      }
    } catch (error) {
      if (!signal.aborted) await readMarker(path, name); // a disk that was taken away is not damaged
      throw error;
    }
  }

  async function* readingTree<T>(
    point: RecoveryPoint,
    item: string,
    signal: AbortSignal,
    use: (reader: StoredFileReader) => AsyncIterable<T> | Promise<AsyncIterable<T>>,
  ): AsyncGenerator<T> {
    const row = point.manifest?.items.find((other) => other.name === item);
    if (row !== undefined && row.roots === undefined) {
      throw new HoldfastError('PathNotFound', `${item} is a dump: there are no paths in it.`, item);
    }
    yield* reading(point, item, signal, use);
  }

  async function remove(point: PointReference, signal: AbortSignal): Promise<void> {
    const there = await same(point);
    if (there === null) return;
    if (there.foreign && !settings.adopt) {
      const why = `${point.location} was made by another tool, and ${name} does not adopt such archives.`;
      throw new HoldfastError('Refused', why, point.location);
    }
    await using held = new AsyncDisposableStack();
    const own = exclusive.get(scopeName({ kind: 'point', id: point.id }));
    const lock = own ?? held.use(await locks.acquire({ kind: 'point', id: point.id }, 'exclusive', 0, signal));
    const removal = layout.removal(point, lock.token);
    try {
      held.use(await locks.acquire({ kind: 'removal' }, 'shared', 0, signal, () => removal));
    } catch (error) {
      // A full disk has no room for the record, and removing is what makes room. If this process dies now, what it put
      // out of sight stays where it is, and `check` names it.
      if (!(error instanceof HoldfastError && error.code === 'NoSpace')) throw error;
    }
    await lock.confirm(signal);
    await layout.remove(removal);
  }

  async function lock(scope: LockScope, mode: LockMode, waitMs: number, signal: AbortSignal): Promise<Lock> {
    try {
      const held = await locks.acquire(scope, mode, waitMs, signal);
      if (scope.kind !== 'point' || mode !== 'exclusive') return held;
      exclusive.set(held.scope, held);
      return {
        confirm: held.confirm,
        [Symbol.asyncDispose]: async () => {
          exclusive.delete(held.scope);
          await held[Symbol.asyncDispose]();
        },
      };
    } catch (error) {
      // Where nothing can be written nothing can be removed either: a reader needs no lock there.
      if (scope.kind !== 'point' || mode !== 'shared' || !saysReadOnly(error)) throw error;
      return { confirm: async () => {}, [Symbol.asyncDispose]: async () => {} };
    }
  }

  return {
    name,
    engine: 'archive',
    capabilities: {
      reuse: layout.reuse,
      gathers: layout.gathers,
      partial: encryptionOf(sealing) !== 'gpg',
      local: path,
      adopt: settings.adopt,
    },
    initialize: (signal) => explaining(path, () => initializeRepository(settings, tools, locks, signal)),
    begin: (header, lockWaitMs, signal) => present(signal, () => begin(header, lockWaitMs, signal)),
    list: (query, signal) => present(signal, () => layout.list(query, signal)),
    find: (reference, signal) => present(signal, () => found(reference)),
    open: (point, item, signal): Bytes => reading(point, item, signal, (reader) => reader.read(signal)),
    entries: (point, item, signal) => readingTree(point, item, signal, (reader) => reader.members(signal)),
    openTree: (point, item, inside, signal): Bytes =>
      readingTree(point, item, signal, async (reader) => (await tarReaders()).tarSubset(reader, inside, signal)),
    openFile: (point, item, inside, signal): Bytes =>
      readingTree(point, item, signal, async (reader) => (await tarReaders()).memberBytes(reader, inside, signal)),
    hold: (reference, hold, signal) =>
      present(signal, async () => {
        const { location } = await found(reference);
        await replaceFile(layout.beside(location, HOLD), printHold(hold));
      }),
    release: (reference, signal) =>
      present(signal, async () => {
        const { location } = await found(reference);
        await removeDurably(layout.beside(location, HOLD));
      }),
    writeReport: (reference, report, text, json, signal) =>
      present(signal, async () => {
        const { location } = await found(reference);
        await replaceFile(layout.beside(location, `${report}.txt`), text);
        await replaceFile(layout.beside(location, `${report}.json`), `${JSON.stringify(json, null, 2)}\n`);
      }),
    remove: (reference, signal) => present(signal, () => remove(reference, signal)),
    lock: (scope, mode, waitMs, signal) => present(signal, () => lock(scope, mode, waitMs, signal)),
    unlock: ({ force }, signal) => present(signal, () => clear(force)),
    checkRest: (point, signal) => present(signal, () => changedFiles(layout.rest(point), signal)),
    check: (signal) => present(signal, () => checkRepository(settings, tools, layout, locks, signal)),
  };
}
