import { SNAPSHOTTERS } from './adapters/registry.ts';
import { kindOf } from './adapters/snapshotters/pool/kind.ts';
import { openPool } from './adapters/snapshotters/pool/pool.ts';
import type { PoolDefinition } from './domain/definitions.ts';
import type { Host } from './ports/host.ts';
import type { Snapshotter } from './ports/snapshotter.ts';

/** The snapshotter of a pool, by its kind or by what its path is.
 *  @param zone IANA name of the host's local time, in which the times in names are
 *  @throws PoolUnusable when the path is not there */
export async function openSnapshotter(
  definition: PoolDefinition,
  host: Host,
  zone: string,
  signal: AbortSignal,
): Promise<Snapshotter> {
  const pool = await openPool(definition, host, zone, signal);
  const kind = await kindOf(pool, definition, signal);
  const row = SNAPSHOTTERS.get(kind);
  if (row === undefined) throw new Error(`The registry has no kind ${kind} of snapshotter.`);
  return (await row.load())(pool);
}
