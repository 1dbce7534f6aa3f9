import { makeSnapshotsFolder } from '../pool/folder.ts';
import { leftoversIn, momentaryName } from '../pool/leftovers.ts';
import { inSnapshots, type Pool } from '../pool/pool.ts';
import { tell } from '../pool/program.ts';
import * as args from './args.ts';
import { isReadOnly } from './subvolumes.ts';

/** Removing it must work after an abort too. */
const REMOVE_LIMIT_MS = 60_000;

export interface ReadOnly extends AsyncDisposable {
  /** In the order in which they were asked for. */
  readonly paths: readonly string[];
}

/** Subvolumes as they are now, so that they can be compared: one that can be written to by a read-only snapshot, which is
 *  gone when this is disposed of. Hold it with `await using`.
 *  @param asked `live`: known to be one that can be written to */
export async function withReadOnly(
  pool: Pool,
  asked: readonly { readonly path: string; readonly live: boolean }[],
  signal: AbortSignal,
): Promise<ReadOnly> {
  const temporary: string[] = [];
  const clear = async (): Promise<void> => {
    const fresh = AbortSignal.timeout(REMOVE_LIMIT_MS);
    for (const path of temporary.splice(0)) await tell(pool.host, args.remove(path), path, fresh);
  };
  try {
    const frozen = await Promise.allSettled(
      asked.map(async ({ path, live }) =>
        !live && (await isReadOnly(pool, path, signal)) ? path : await freeze(path),
      ),
    );
    const refused = frozen.find((one) => one.status === 'rejected');
    if (refused !== undefined) throw refused.reason;
    const paths = frozen.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    return { paths, [Symbol.asyncDispose]: clear };
  } catch (error) {
    await clear();
    throw error;
  }

  async function freeze(path: string): Promise<string> {
    await makeSnapshotsFolder(pool.host, pool.snapshotsPath, signal);
    for (const left of await leftoversIn(pool, pool.snapshotsPath, signal))
      await tell(pool.host, args.remove(left), left, signal);
    const snapshot = inSnapshots(pool, momentaryName('diff'));
    await tell(pool.host, args.snapshot(path, snapshot), snapshot, signal);
    temporary.push(snapshot);
    return snapshot;
  }
}
