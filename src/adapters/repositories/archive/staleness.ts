import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Owners } from '../../../ports/owner.ts';
import { codeOf, ifPresent } from './failures.ts';
import type { SeenLock } from './lock-file.ts';

/** Interface, section 10, line 5: a lock whose counter does not change for so long is nobody's. */
const STALE_AFTER_MS = 30 * 60_000;

/** Between a lock's name and that of the machine start that watches it. */
export const WATCH = '.seen=';

/** What a watcher saw first of a counter, by its own clock. */
interface Observation {
  readonly counter: string;
  readonly uptimeMs: number;
}

/** Tells whether a lock's holder is gone. A process that can be seen from here is asked for; of any other the counter
 *  is watched, by this machine's time since its start: wall clocks jump, and machines disagree. What was seen is kept
 *  beside the lock, one file per start of a watching machine, so that runs a day apart add up. */
export function staleness(folder: string, owners: Owners, uptimeMs: () => number) {
  const watcher = owners.current.boot || owners.current.hostname;

  async function watched(lock: SeenLock): Promise<boolean> {
    const path = join(folder, `${lock.name}${WATCH}${watcher}`);
    const counter = lock.content === null ? 'unreadable' : `${lock.content.state} ${lock.content.counter}`;
    const before = parse(await ifPresent(readFile(path, 'utf8')));
    if (before?.counter === counter && before.uptimeMs <= uptimeMs()) {
      return uptimeMs() - before.uptimeMs >= STALE_AFTER_MS;
    }
    try {
      const now: Observation = { counter, uptimeMs: uptimeMs() };
      await writeFile(path, JSON.stringify(now), { mode: 0o600 });
    } catch (error) {
      // A full or read-only disk: nothing is remembered, so the lock holds, which is the safe answer.
      if (!['ENOSPC', 'EDQUOT', 'EROFS'].includes(codeOf(error) ?? '')) throw error;
    }
    return false;
  }

  return async (lock: SeenLock): Promise<boolean> => {
    const state = lock.content === null ? 'unknown' : owners.state(lock.content.owner);
    return state === 'unknown' ? watched(lock) : state === 'gone';
  };
}

function parse(text: string | null): Observation | null {
  try {
    const value = JSON.parse(text ?? 'null');
    return typeof value?.counter === 'string' && typeof value.uptimeMs === 'number' ? value : null;
  } catch {
    return null; // torn by a crash: the watch begins again
  }
}
