import { existsSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '../domain/errors.ts';
import { stateDamaged, stateError } from '../domain/state-error.ts';

/** Looks through the whole catalog. Nothing is written, and a catalog that is not there is no error.
 *  @throws StateDamaged with what SQLite found first, StateUnusable, StateBusy */
export function checkCatalog(path: string): void {
  if (!existsSync(path)) return;
  let found: unknown;
  try {
    const database = new DatabaseSync(path, { readOnly: true });
    try {
      found = database.prepare('PRAGMA quick_check(1)').get()?.quick_check;
    } finally {
      database.close();
    }
  } catch (error) {
    throw stateError(error, 'catalog', path);
  }
  if (found !== 'ok') throw stateDamaged('catalog', path, String(found));
}

/** What `catalog rebuild` does first: a damaged catalog is moved aside, never deleted, so that an empty one is made.
 *  @returns where it is now; null when it was whole or not there
 *  @throws StateUnusable, StateBusy */
export async function setAsideWhenDamaged(path: string, at: Temporal.Instant): Promise<string | null> {
  try {
    checkCatalog(path);
    return null;
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'StateDamaged') throw error;
  }
  const aside = unusedName(`${path}.damaged-${at.toString({ smallestUnit: 'second' }).replaceAll(/[-:Z]/g, '')}`);
  // The log first: an old log beside a new file would be read into it.
  for (const suffix of ['-shm', '-wal', '']) if (existsSync(path + suffix)) await rename(path + suffix, aside + suffix);
  await using folder = await open(dirname(path), 'r');
  await folder.sync();
  return aside;
}

function unusedName(wanted: string): string {
  let name = wanted;
  for (let count = 2; existsSync(name); count++) name = `${wanted}-${count}`;
  return name;
}
