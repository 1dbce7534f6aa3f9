import { dirname } from 'node:path';
import { inPool, type Pool, subvolumeMissing } from '../pool/pool.ts';
import { isSubvolume } from './subvolumes.ts';

/** Moves nested subvolumes to the same places in another subvolume. In a copy of a snapshot an empty folder stands where
 *  each was when the snapshot was made, and the rename replaces it. @throws SubvolumeMissing, TargetExists */
export async function moveNested(
  pool: Pool,
  nested: readonly string[],
  from: string,
  to: string,
  signal: AbortSignal,
): Promise<void> {
  const { files } = pool.host;
  for (const path of nested) {
    if (path.split('/').some((part) => part === '' || part === '.' || part === '..'))
      throw subvolumeMissing(pool, `${from}/${path}`, 'is no path inside a subvolume');
    const [source, target] = [`${inPool(pool, from)}/${path}`, `${inPool(pool, to)}/${path}`];
    if (!(await isSubvolume(pool, source, signal))) {
      if (await isSubvolume(pool, target, signal)) continue;
      throw subvolumeMissing(pool, `${from}/${path}`);
    }
    // it may be younger than the snapshot, and so may the folder that it is in
    const parent = dirname(target);
    if ((await files.status(parent, signal)) === null) await files.makeFolder(parent, 0o755, signal);
    const real = await files.realPath(parent, signal);
    if (real !== parent) throw subvolumeMissing(pool, `${to}/${dirname(path)}`, `leads elsewhere, to ${real}`);
    await files.rename(source, target, signal);
  }
}
