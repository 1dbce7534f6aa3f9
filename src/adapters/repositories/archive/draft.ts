import { HoldfastError } from '../../../domain/errors.ts';
import type { Manifest } from '../../../domain/manifest.ts';
import type { Hold, RecoveryPoint } from '../../../domain/recovery-point.ts';
import type { Draft, PointHeader, StoredItem } from '../../../ports/repository.ts';
import { explaining } from './failures.ts';
import type { DraftStore } from './layout.ts';
import type { HeldLock } from './locks.ts';
import { recoveryPoint } from './point-files.ts';

export interface DraftParts {
  readonly repository: string;
  readonly header: PointHeader;
  readonly store: DraftStore;
  /** The service's writer lock. */
  readonly lock: HeldLock;
  /** Removes what is left of the draft. */
  readonly remove: () => Promise<void>;
  /** Lets the locks go. */
  readonly release: () => Promise<void>;
}

/** How long undoing may take: a disk that does not answer must not hold the run for ever. */
const DISPOSE_LIMIT_MS = 120_000;

/** The rules of a draft that do not depend on the layout: what may be committed, and what is left afterwards. */
export function draftOf({ repository, header, store, lock, remove, release }: DraftParts): Draft {
  const stored = new Map<string, StoredItem>();
  const failed = new Set<string>();
  const running = new Set<Promise<unknown>>();
  let state: 'open' | 'committing' | 'committed' = 'open';

  /** Disposing waits for what runs: a draft is not taken away under a put or a commit that nobody awaited. */
  function tracked<T>(work: Promise<T>): Promise<T> {
    running.add(work);
    const forget = () => void running.delete(work);
    work.then(forget, forget);
    return work;
  }

  async function put<T extends StoredItem | null>(
    item: string,
    signal: AbortSignal,
    work: () => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    if (state !== 'open') throw new HoldfastError('Internal', `${item} was put into a point that is closed.`, item);
    if (stored.has(item)) throw new HoldfastError('Internal', `${item} was put twice into one point.`, item);
    failed.add(item);
    const done = await explaining(store.workspace, work, repository);
    failed.delete(item);
    if (done !== null) stored.set(item, done);
    return done;
  }

  /** @throws Refused for a manifest that says other than what was stored */
  function refuseUntrue(manifest: Manifest): void {
    const refuse = (message: string, subject: string): never => {
      throw new HoldfastError('Refused', message, subject);
    };
    if (manifest.id !== header.id || manifest.service !== header.service || manifest.origin !== header.origin) {
      refuse(`The manifest of ${manifest.service} is of another point than the one that was begun.`, manifest.id);
    }
    const rows = new Map(manifest.items.map((row) => [row.name, row]));
    for (const item of failed) {
      if (rows.get(item)?.outcome !== 'failed')
        refuse(`Storing ${item} failed, and the manifest does not say so.`, item);
    }
    for (const item of stored.keys()) if (!rows.has(item)) refuse(`The manifest does not have ${item}.`, item);
    for (const [item, row] of rows) {
      if (row.outcome === 'failed') continue;
      const kept = stored.get(item);
      if (kept === undefined) refuse(`The manifest has ${item}, which was never stored.`, item);
      else if (kept.file !== row.file || kept.size !== row.size || kept.sha256 !== row.sha256) {
        refuse(`The manifest has another file, size or hash of ${item} than was stored.`, item);
      }
    }
    if (manifest.items.every(({ outcome }) => outcome === 'failed')) {
      refuse(`No item of ${manifest.service} was stored, so there is no recovery point.`, manifest.service);
    }
  }

  async function commit(manifest: Manifest, hold: Hold | null, signal: AbortSignal): Promise<RecoveryPoint> {
    signal.throwIfAborted();
    if (state !== 'open') throw new HoldfastError('Internal', 'A point was committed twice.', header.id);
    refuseUntrue(manifest);
    await lock.confirm(signal);
    state = 'committing';
    const promote = async () => {
      for (const { name, outcome } of manifest.items) {
        const unwanted = outcome === 'failed' ? stored.get(name) : undefined;
        if (unwanted) await store.drop(name, unwanted);
      }
      return store.promote(manifest, hold, () => lock.confirm(signal));
    };
    const promoted = await explaining(store.workspace, promote, repository);
    state = 'committed';
    return recoveryPoint(repository, promoted.location, promoted.manifest, { held: hold, proofs: [] });
  }

  return {
    workspace: store.workspace,
    warm: async () => void (await import('../../../streams/write-stored-file.ts')),
    putStream: (item, signal) => tracked(put(item.name, signal, () => store.putStream(item, signal))),
    putTree: (item, signal) => tracked(put(item.name, signal, () => store.putTree(item, signal))),
    putCopy: (item, bytes, signal) => tracked(put(item.name, signal, () => store.putCopy(item, bytes, signal))),
    reuse: (item, from, signal) => tracked(put(item, signal, () => store.reuse(item, from, signal))),
    commit: (manifest, hold, signal) => tracked(commit(manifest, hold, signal)),
    [Symbol.asyncDispose]: async () => {
      await limited(Promise.allSettled(running), DISPOSE_LIMIT_MS, store.workspace);
      // When removing fails the locks stay, and with them the record: a later run takes the draft away.
      if (state !== 'committed') await limited(remove(), DISPOSE_LIMIT_MS, store.workspace);
      await limited(release(), DISPOSE_LIMIT_MS, store.workspace);
    },
  };
}

async function limited(work: Promise<unknown>, limitMs: number, path: string): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const why = `The disk of ${path} does not answer: what was begun there is taken away by the next run.`;
  const timer = setTimeout(() => reject(new HoldfastError('RepositoryUnusable', why, path)), limitMs);
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
