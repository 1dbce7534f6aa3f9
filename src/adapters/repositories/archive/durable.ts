import { constants, link, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFolders as makeEach } from '../../../domain/make-folders.ts';

/** Every change that is made to a repository's folder goes through this file. A name is durable when the folder that
 *  holds it was synced, a file's bytes when the file was (fsync(2)); what the functions sync stands at each of them. */

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** Makes a folder's names durable. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  await folder.sync();
}

/** Creates a folder. Its name is durable; EEXIST when something is there. */
export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { mode: FOLDER_MODE });
  await syncFolder(dirname(path));
}

/** Creates a folder and those above it that are missing, all of their names durable; one that exists stays as it is. */
export async function makeFolders(path: string): Promise<void> {
  const made = await makeEach(path, FOLDER_MODE, { mkdir, stat });
  for (const folder of made.toReversed()) await syncFolder(dirname(folder));
}

/** Creates a file and syncs its bytes, not its name; EEXIST when something is there. */
export async function writeNew(path: string, content: string | Uint8Array): Promise<void> {
  await using file = await open(path, 'wx', FILE_MODE);
  await file.writeFile(content);
  await file.sync();
}

/** Puts a whole file in the place of the one that is there: a reader sees the old or the new one. Bytes and name are
 *  durable. The provisional name is `<path>.new`; one that a crash left there is replaced. */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  await rm(`${path}.new`, { force: true });
  try {
    await writeNew(`${path}.new`, content);
    await rename(`${path}.new`, path);
  } catch (error) {
    await rm(`${path}.new`, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Renames within one file system; the change of names is durable in both folders. */
export async function renameDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncFolder(dirname(to));
  if (dirname(from) !== dirname(to)) await syncFolder(dirname(from));
}

/** Gives a file a second name, which is not durable yet: the caller syncs the folder. */
export const linkFile = (existing: string, path: string): Promise<void> => link(existing, path);

/** Removes a file or a whole folder, durably; nothing there is no error. */
export async function removeDurably(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
  await syncFolder(dirname(path));
}
