import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';

const SHARED_MEMORY = '/dev/shm';
const NEEDED_BYTES = 2 * 1024 ** 3;

function hasRoom(): boolean {
  try {
    const { bavail, bsize } = statfsSync(SHARED_MEMORY);
    return bavail * bsize > NEEDED_BYTES;
  } catch {
    return false;
  }
}

/** A folder of a file system in memory, where there is one, for tests that look at every moment of something: a process
 *  that is killed leaves all that it wrote, so that nothing has to reach a disk. */
export const MEMORY = hasRoom() ? SHARED_MEMORY : tmpdir();
