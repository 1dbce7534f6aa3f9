import { type BigIntStats, lstatSync, readdirSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Facts } from '../../../domain/facts.ts';
import type { Root } from '../../../domain/manifest.ts';

type Counts = { -readonly [Fact in 'files' | 'directories' | 'links' | 'others' | 'bytes']: number };

/** Counts restored trees: what lies at or below the stored name of each root in `folder`. Sockets do not count.
 *  @throws SourceMissing for a root that is not there */
export async function countFolder(folder: string, roots: readonly Root[], signal: AbortSignal): Promise<Facts> {
  const counts: Counts = { files: 0, directories: 0, links: 0, others: 0, bytes: 0 };
  /** Inodes with several names that were counted. */
  const linked = new Set<string>();
  function count(status: BigIntStats): void {
    if (status.isSocket()) return;
    if (status.isDirectory()) counts.directories += 1;
    else if (status.isSymbolicLink()) counts.links += 1;
    else if (!status.isFile()) counts.others += 1;
    else {
      counts.files += 1;
      const inode = `${status.dev} ${status.ino}`;
      if (!linked.has(inode)) counts.bytes += Number(status.size);
      if (status.nlink > 1n) linked.add(inode);
    }
  }
  for (const { stored } of roots) {
    const top = Buffer.from(stored === '.' ? folder : `${folder}/${stored}`);
    const status = lstatSync(top, { bigint: true, throwIfNoEntry: false });
    if (status === undefined)
      throw new HoldfastError('SourceMissing', `${stored} is not in the restored copy.`, `${folder}/${stored}`);
    count(status);
    const waiting = status.isDirectory() ? [top] : [];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      signal.throwIfAborted();
      await setImmediate(); // a folder at a time, so that an abort and a progress bar get their turn
      const within = Buffer.concat([next, SLASH]);
      for (const name of readdirSync(next, { encoding: 'buffer' })) {
        const path = Buffer.concat([within, name]);
        const inside = lstatSync(path, { bigint: true });
        count(inside);
        if (inside.isDirectory()) waiting.push(path);
      }
    }
  }
  return counts;
}
const SLASH = Buffer.from('/');
