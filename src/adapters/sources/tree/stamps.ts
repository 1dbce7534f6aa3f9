import { lstat, readdir } from 'node:fs/promises';

/** Sizes, times and inode numbers of files, by their paths with one character for each byte. */
export type Stamps = ReadonlyMap<string, string>;

/** Looks at files, and at all files in folders. What is not there has no stamp; `excluded` is not looked at. */
export async function takeStamps(
  paths: readonly Buffer[],
  excluded: (path: Buffer, folder: boolean) => boolean,
  signal: AbortSignal,
): Promise<Stamps> {
  const stamps = new Map<string, string>();
  const waiting = [...paths];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    signal.throwIfAborted();
    const key = path.toString('latin1');
    if (stamps.has(key)) continue;
    const status = await lstat(path, { bigint: true }).catch(absent);
    if (status === null) continue;
    if (!status.isDirectory()) {
      stamps.set(key, [status.ino, status.size, status.mtimeNs, status.ctimeNs].join(' '));
      continue;
    }
    const folder = Buffer.concat([path, Buffer.from('/')]);
    for (const entry of (await readdir(path, { withFileTypes: true, encoding: 'buffer' }).catch(absent)) ?? []) {
      const inside = Buffer.concat([folder, entry.name]);
      if (!excluded(inside, entry.isDirectory()) && !entry.isSocket()) waiting.push(inside);
    }
  }
  return stamps;
}

/** A name that is too long is nobody's: what is looked for beside a file may have none. */
const ABSENT: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'ENAMETOOLONG']);

function absent(error: NodeJS.ErrnoException): null {
  if (ABSENT.has(error.code)) return null;
  throw error;
}

/** The paths that came, went or changed, as bytes. */
export function changedBetween(before: Stamps, after: Stamps): readonly Buffer[] {
  const paths = new Set([...before.keys(), ...after.keys()]);
  return [...paths].filter((path) => before.get(path) !== after.get(path)).map((path) => Buffer.from(path, 'latin1'));
}
