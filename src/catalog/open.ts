import type { Catalog } from '../ports/catalog.ts';
import { historyTables } from './history.ts';
import { migrate } from './migrations.ts';
import { pointTables } from './points.ts';
import { openSqlite } from './sqlite.ts';

/** Opens or makes the catalog of this machine in a folder that exists, and brings its tables to this version.
 *  @throws StateDamaged, StateNewer, StateBusy, StateUnusable, NoSpace */
export async function openCatalog(path: string): Promise<Catalog> {
  const database = openSqlite(path);
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
