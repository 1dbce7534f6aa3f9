import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Lock, LockMode } from '../../../ports/repository.ts';
import { makeFolders, syncFolder } from './durable.ts';
import { explained, explaining, ifPresent } from './failures.ts';
import type { Leftover, LockContent } from './lock-content.ts';
import {
  createLock,
  holderOf,
  LOCKS,
  lockName,
  PROVISIONAL,
  readLock,
  rewriteLock,
  type Scope,
  type SeenLock,
  scopeName,
} from './lock-file.ts';
import type { ArchiveTools } from './settings.ts';
import { staleness, WATCH } from './staleness.ts';

const REFRESH_MS = 60_000;
/** How often one who waits looks again, and how long two takers may need to see who of them goes first. */
const POLL_MS = 50;
const CONTEST_MS = 5000;

export interface HeldLock extends Lock {
  readonly scope: string;
  readonly mode: LockMode;
  readonly token: string;
}

export interface LocksOptions {
  /** The repository's folder. */
  readonly path: string;
  readonly tools: Required<Pick<ArchiveTools, 'clock' | 'identifiers' | 'owners' | 'uptimeMs'>>;
  /** Takes away what a dead process had recorded; may be called twice for one leftover. */
  readonly finish: (leftover: Leftover) => Promise<void>;
  readonly refreshMs?: number;
}

export interface Locks {
  /** Waits up to `waitMs`. `leftover` tells, from the token, what a later process takes away if this one dies. */
  acquire(scope: Scope, mode: LockMode, waitMs: number, signal: AbortSignal, leftover?: LeftoverOf): Promise<HeldLock>;
  /** Every lock there is, and whether its holder is gone. */
  survey(): Promise<readonly { readonly lock: SeenLock; readonly stale: boolean }[]>;
  /** Finishes what the lock recorded, then removes it. */
  clear(lock: SeenLock): Promise<void>;
  /** Removes what processes that died left of locks they had not made yet, by the rules of a lock that is stale. */
  sweep(): Promise<void>;
  /** The name of whoever holds it, for a message. */
  holder(lock: SeenLock): string;
}
type LeftoverOf = (token: string) => Leftover;

/** Locks as files: each taker creates one of its own, then looks at the others'. A file is there from before its taker
 *  looks until after it let go, so of two takers at least one sees the other; of those that see each other, the one
 *  with the smaller token goes on and the other withdraws. */
export function folderLocks({ path, tools, finish, refreshMs = REFRESH_MS }: LocksOptions): Locks {
  const { clock, identifiers, owners } = tools;
  const folder = join(path, LOCKS);
  const isStale = staleness(folder, owners, tools.uptimeMs);

  const names = async (): Promise<readonly string[]> => (await ifPresent(readdir(folder))) ?? [];

  async function read(wanted: (name: string) => boolean): Promise<readonly SeenLock[]> {
    const seen = await Promise.all((await names()).filter(wanted).map((name) => readLock(folder, name)));
    return seen.filter((lock) => lock !== null);
  }

  async function remove(name: string): Promise<void> {
    await rm(join(folder, name), { force: true });
    const watches = (await names()).filter((other) => other.startsWith(`${name}${WATCH}`));
    for (const watch of watches) await rm(join(folder, watch), { force: true });
  }

  async function clear(lock: SeenLock): Promise<void> {
    if (lock.content?.leftover) await finish(lock.content.leftover);
    await remove(lock.name);
  }

  async function rivalsOf(scope: string, mode: LockMode, own: string): Promise<readonly SeenLock[]> {
    const others = await read((name) => name.startsWith(`${scope}.`) && name !== own && !name.endsWith(PROVISIONAL));
    const rivals: SeenLock[] = [];
    for (const lock of others.filter((other) => mode === 'exclusive' || other.mode === 'exclusive')) {
      if (await isStale(lock)) await clear(lock);
      else rivals.push(lock);
    }
    return rivals;
  }

  /** The one who is in the way, or null when nobody is. Waits for those who will withdraw. */
  async function contest(scope: string, mode: LockMode, own: string, token: string, signal: AbortSignal) {
    const end = clock.monotonicMs() + CONTEST_MS;
    for (;;) {
      const rivals = await rivalsOf(scope, mode, own);
      const first = rivals.find((rival) => rival.content?.state !== 'waiting' || rival.token < token);
      if (first ?? rivals.length === 0) return first ?? null;
      if (clock.monotonicMs() >= end) return rivals[0] ?? null;
      await clock.sleep(POLL_MS / 5, signal);
    }
  }

  function locked(blocker: SeenLock): HoldfastError {
    const what = blocker.scope === 'repository' ? `The repository ${path}` : `${blocker.scope} in ${path}`;
    return new HoldfastError('RepositoryLocked', `${what} is locked by ${holderOf(blocker, owners)}.`, path);
  }

  async function acquire(scope: Scope, mode: LockMode, waitMs: number, signal: AbortSignal, leftoverOf?: LeftoverOf) {
    const [begun, name] = [clock.monotonicMs(), scopeName(scope)];
    const patienceMs = Math.max(waitMs, CONTEST_MS); // for those who have not decided yet, even without waiting
    await explaining(folder, () => makeFolders(folder));
    for (;;) {
      signal.throwIfAborted();
      const token = identifiers.next(clock.now());
      const own = lockName(scope, mode, token);
      const content: LockContent = {
        state: 'waiting',
        counter: 0,
        since: clock.now().toString({ smallestUnit: 'second' }),
        owner: owners.current,
        leftover: leftoverOf?.(token) ?? null,
      };
      let blocker: SeenLock | null;
      try {
        await createLock(folder, own, content);
        if (content.leftover !== null) await syncFolder(folder); // before what it records is made
        blocker = await contest(name, mode, own, token, signal);
        if (blocker === null) return await held(scope, mode, token, content);
      } catch (error) {
        await remove(own);
        throw explained(error, folder);
      }
      await remove(own);
      const waitedMs = clock.monotonicMs() - begun;
      if (waitedMs >= (blocker.content?.state === 'held' ? waitMs : patienceMs)) throw locked(blocker);
      await clock.sleep(POLL_MS * (0.5 + Math.random()), signal); // not in step with another who waits
    }
  }

  async function held(scope: Scope, mode: LockMode, token: string, waiting: LockContent): Promise<HeldLock> {
    const name = lockName(scope, mode, token);
    let counter = 0;
    const refresh = async (): Promise<boolean> => {
      counter += 1;
      return rewriteLock(folder, name, { ...waiting, state: 'held', counter });
    };
    const lost = (): HoldfastError =>
      new HoldfastError('RepositoryLocked', `The lock of ${scopeName(scope)} in ${path} was taken over.`, path);
    if (!(await refresh())) throw lost();
    // What goes wrong here is found by `confirm`, which writes again before anything is changed.
    const timer = setInterval(() => void refresh().catch(() => false), refreshMs);
    timer.unref();
    return {
      scope: scopeName(scope),
      mode,
      token,
      confirm: async (signal) => {
        signal.throwIfAborted();
        if (!(await explaining(folder, refresh))) throw lost();
      },
      [Symbol.asyncDispose]: async () => {
        clearInterval(timer);
        await remove(name);
      },
    };
  }

  return {
    acquire,
    clear,
    sweep: async () => {
      for (const draft of await read((name) => name.endsWith(PROVISIONAL))) {
        if (await isStale(draft)) await remove(draft.name);
      }
      const there = new Set(await names());
      const watched = (name: string): string => name.slice(0, name.indexOf(WATCH));
      const watches = [...there].filter((name) => name.includes(WATCH) && !there.has(watched(name)));
      for (const watch of watches) await rm(join(folder, watch), { force: true }); // a draft became a lock meanwhile
    },
    survey: async () => {
      const locks = await explaining(folder, () => read((name) => !name.endsWith(PROVISIONAL)));
      return Promise.all(locks.map(async (lock) => ({ lock, stale: await isStale(lock) })));
    },
    holder: (lock) => holderOf(lock, owners),
  };
}
