import type { Catalog } from '../ports/catalog.ts';
import { historyTables } from './history.ts';
import { migrate } from './migrations.ts';
import { pointTables } from './points.ts';
import { openSqlite } from './sqlite.ts';

/** A rebuild of ten thousand points writes for two to three seconds (2026-11-21, 90 MB). */
const BUSY_LIMIT_MS = 10_000;

/** Opens or makes the catalog of this machine in a folder that exists, and brings its tables to this version. `:memory:`
 *  is a catalog of this process alone, for a repository that is read without a configuration.
 *  @param busyLimitMs how long a writer of another process is waited for
 *  @throws StateDamaged, StateNewer, StateBusy, StateUnusable, NoSpace */
export async function openCatalog(path: string, busyLimitMs = BUSY_LIMIT_MS): Promise<Catalog> {
  const database = openSqlite(path, busyLimitMs);
  try {
    await migrate(database, path);
  } catch (error) {
    await database.destroy();
    throw error;
  }
  return {
    ...pointTables(database),
    ...historyTables(database),
    [Symbol.asyncDispose]: () => database.destroy(),
  };
}
