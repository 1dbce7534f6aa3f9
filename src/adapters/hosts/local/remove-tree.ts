import { lstat, opendir, rmdir, unlink } from 'node:fs/promises';

/** Names that are removed side by side. */
const AT_ONCE = 256;
const LISTED_AT_ONCE = 512;
const SLASH = Buffer.from('/');

export interface Removing {
  unlink(path: Buffer): Promise<void>;
  rmdir(path: Buffer): Promise<void>;
}

/** Removes a path and all that is in it; nothing there is no error, and no link is followed. Node's own `rm` asks for
 *  every name of a tree at once, and 100,000 of them take 160 MB. */
export async function removeTree(path: string, by: Removing = { unlink, rmdir }): Promise<void> {
  const status = await orGone(lstat(path));
  if (status === null) return;
  const place = Buffer.from(path);
  await (status.isDirectory() ? removeFolder(place, by) : orGone(by.unlink(place)));
}

async function removeFolder(folder: Buffer, by: Removing): Promise<void> {
  for (;;) {
    const removed = await removeContent(folder, by);
    try {
      return void (await orGone(by.rmdir(folder)));
    } catch (error) {
      // what is listed while names go may lack some
      if (removed === 0 || (error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
    }
  }
}

/** @returns how many names were removed */
async function removeContent(folder: Buffer, by: Removing): Promise<number> {
  const within = Buffer.concat([folder, SLASH]);
  // names as bytes, which the types of Node do not know of
  const options = { encoding: 'buffer' as BufferEncoding, bufferSize: LISTED_AT_ONCE };
  const listed = await orGone(opendir(folder as unknown as string, options));
  if (listed === null) return 0;
  let removed = 0;
  let removing: Promise<unknown>[] = [];
  const settle = async (): Promise<void> => {
    const ended = await Promise.allSettled(removing);
    removed += removing.length;
    removing = [];
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
  };
  try {
    for await (const entry of listed) {
      const path = Buffer.concat([within, entry.name as unknown as Buffer]);
      if (entry.isDirectory()) {
        await removeFolder(path, by);
        removed += 1;
      } else {
        const removal = orGone(by.unlink(path));
        removal.catch(() => {}); // seen when it is settled
        removing.push(removal);
      }
      if (removing.length === AT_ONCE) await settle();
    }
  } finally {
    await settle();
  }
  return removed;
}

async function orGone<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
