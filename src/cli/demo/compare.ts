import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join, relative } from 'node:path';

async function contentOf(path: string, type: 'file' | 'directory' | 'link'): Promise<string> {
  if (type === 'file')
    return createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
  return type === 'link' ? readlink(path) : '';
}

/** Every name below `folder` with what a restore must bring back: type, mode, owner, time and content. */
export async function picture(folder: string): Promise<ReadonlyMap<string, string>> {
  const rows = new Map<string, string>();
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    const { mode, uid, gid, size, mtimeNs } = await lstat(path, { bigint: true });
    const linkOrFolder = entry.isSymbolicLink() ? 'link' : 'directory';
    const type = entry.isFile() ? 'file' : linkOrFolder;
    const length = type === 'file' ? size : ''; // the size of a folder is the file system's own affair
    rows.set(
      relative(folder, path),
      [type, mode.toString(8), uid, gid, length, mtimeNs, await contentOf(path, type)].join(' '),
    );
  }
  return rows;
}

/** Names that are missing, new or different in `actual`. */
export function differences(
  expected: ReadonlyMap<string, string>,
  actual: ReadonlyMap<string, string>,
): readonly string[] {
  const names = new Set([...expected.keys(), ...actual.keys()]);
  return [...names].filter((name) => expected.get(name) !== actual.get(name));
}

/** A copy that was taken while rows were written holds the rows of one moment: a beginning of the original, not
 *  shorter than what was there before the backup, nor longer than what was there after it. Null when it is so. */
export function whyNotOneMoment(
  original: readonly string[],
  restored: readonly string[],
  bounds: { readonly before: number; readonly after: number },
): string | null {
  if (restored.length < bounds.before || restored.length > bounds.after)
    return `${restored.length} rows were restored, which is not between ${bounds.before} and ${bounds.after}`;
  const wrong = restored.findIndex((body, index) => body !== original[index]);
  return wrong === -1 ? null : `row ${wrong + 1} is not the one that was written`;
}
