import { open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Owners } from '../../../ports/owner.ts';
import type { LockMode, LockScope } from '../../../ports/repository.ts';
import { writeNew } from './durable.ts';
import { codeOf, ifPresent } from './failures.ts';
import type { LockContent } from './lock-content.ts';

export const LOCKS = '.holdfast-locks';

/** Besides the port's: `removal` records one that is under way, `names` guards the choice of archives' names. */
export type Scope = LockScope | { readonly kind: 'removal' | 'names' };

/** A lock file that was seen. `content` is null when it is empty or not whole: its owner is then unknown. */
export interface SeenLock {
  readonly name: string;
  readonly scope: string;
  readonly mode: LockMode;
  readonly token: string;
  readonly content: LockContent | null;
}

/** The scope as it stands in a lock's name: `service=mealie`. */
export function scopeName(scope: Scope): string {
  if (scope.kind === 'service') return `service=${scope.service}`;
  return scope.kind === 'point' ? `point=${scope.id}` : scope.kind;
}

/** The name of a lock's file: `<scope>.<mode>.<token>`. A token is a ULID of its own; it orders those who wait. */
export const lockName = (scope: Scope, mode: LockMode, token: string): string => `${scopeName(scope)}.${mode}.${token}`;

const NAME = /^((?:service|point)=.+|repository|removal|names)\.(shared|exclusive)\.([0-9A-Z]{26})$/;

/** The same length for every state and counter, so that a lock is refreshed in place by one write. */
function print({ state, counter, since, owner, leftover }: LockContent): string {
  const line = { state, counter: String(counter).padStart(12, '0'), since, owner, leftover };
  return `${JSON.stringify(line)}${state === 'held' ? '   ' : ''}\n`;
}

/** What follows the name of a lock that is being made. */
export const PROVISIONAL = '.new';

/** Creates the file of a lock, whole and synced before it has its name: an empty one would be nobody's for half an hour.
 *  Only on a full disk it stays empty, and locks by its name: without a lock nobody could prune there. What has
 *  something to record fails there instead. */
export async function createLock(folder: string, name: string, content: LockContent): Promise<void> {
  const provisional = join(folder, name + PROVISIONAL);
  try {
    await writeNew(provisional, print(content));
    await rename(provisional, join(folder, name));
  } catch (error) {
    await rm(provisional, { force: true });
    const full = codeOf(error) === 'ENOSPC' || codeOf(error) === 'EDQUOT';
    if (!full || content.leftover !== null) throw error;
    await writeNew(join(folder, name), '');
  }
}

/** Writes over the content of a lock that is there; false when it is gone. Never creates it again. */
export async function rewriteLock(folder: string, name: string, content: LockContent): Promise<boolean> {
  const file = await ifPresent(open(join(folder, name), 'r+'));
  if (file === null) return false;
  await using opened = file;
  const { size } = await opened.stat();
  if (size > 0) await opened.write(print(content), 0); // empty: made on a full disk
  return true;
}

/** A lock by its file's name; null for a name that is none, and when it is gone. One that is being made is read when
 *  its provisional name is asked for. */
export async function readLock(folder: string, name: string): Promise<SeenLock | null> {
  const [, scope, mode, token] =
    NAME.exec(name.endsWith(PROVISIONAL) ? name.slice(0, -PROVISIONAL.length) : name) ?? [];
  if (scope === undefined || mode === undefined || token === undefined) return null;
  const text = await ifPresent(readFile(join(folder, name), 'utf8'));
  if (text === null) return null;
  const { parseLock } = await import('./lock-content.ts');
  return { name, scope, mode: mode === 'shared' ? 'shared' : 'exclusive', token, content: parseLock(text) };
}

/** Who holds it, for a message. */
export function holderOf({ content }: SeenLock, owners: Owners): string {
  if (content === null) return 'an unknown process';
  const { hostname, pid, boot } = content.owner;
  const where = boot === owners.current.boot ? '' : ` on ${hostname}`;
  return `process ${pid}${where} since ${content.since}`;
}
