import { access, open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';

const NAME = 'reserve';
/** Enough for the log and the index in shared memory that SQLite makes for each database that it opens. */
const SIZE = 1024 ** 2;
/** So much room is left that nothing is taken from anybody. */
const PLENTY = 32 * SIZE;

/** Keeps some room in the state folder for the day when its disk is full: then it is given up, and what makes room or only
 *  reads, as `prune` and `list`, still finds the catalog and the journal. Whatever fails is left as it is. */
export async function keepReserve(folder: string): Promise<void> {
  const path = join(folder, NAME);
  try {
    const { bavail, bsize } = await statfs(folder);
    const free = bavail * bsize;
    if (free < SIZE) await rm(path, { force: true });
    else if (free > PLENTY && !(await isThere(path))) await fill(path);
  } catch {
    // a disk that is read-only, or that tells no size, has its own errors later
  }
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** With bytes that no file system stores in less. */
async function fill(path: string): Promise<void> {
  const { randomBytes } = await import('node:crypto');
  await using file = await open(path, 'wx', 0o600);
  await file.writeFile(randomBytes(SIZE));
}
