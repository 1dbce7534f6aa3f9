import type { FoundFolder } from '../domain/found-folder.ts';
import { isBelow, parentOf } from '../domain/tree-path.ts';
import type { Host } from '../ports/host.ts';
import { printedBy } from './look.ts';

/** Where people put what they run themselves. */
const BASES = ['/opt', '/srv'] as const;
/** Folders there that belong to packages and hold nothing of a person's. */
const NOT_SERVICES = new Set(['containerd', 'lost+found', 'google', 'microsoft']);
const MAX_FOUND = 20;
const SQLITE_HEADER = 'SQLite format 3\0'; // https://www.sqlite.org/fileformat.html, section 1.3
/** What the folder of a server's data has: PostgreSQL's, InnoDB's. */
const DATA_FOLDERS = ['PG_VERSION', 'ibdata1'] as const;

/** Paths of files in a folder by their names, on its own file system. */
async function filesNamed(
  patterns: readonly string[],
  folder: string,
  host: Host,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const names = patterns.flatMap((pattern, index) => [...(index === 0 ? [] : ['-o']), '-name', pattern]);
  const args = [folder, '-xdev', '-type', 'f', '-size', '+0', '(', ...names, ')', '-print0'];
  return (await printedBy(host, 'find', args, signal)).split('\0').filter((path) => path !== '');
}

/** `left` is the folder itself where it is a server's.
 *  @param others what in it belongs to somebody else, and is left out */
export async function lookAtFolder(
  path: string,
  others: readonly string[],
  host: Host,
  signal: AbortSignal,
): Promise<FoundFolder> {
  const marks = await filesNamed(DATA_FOLDERS, path, host, signal);
  const servers = marks.map(parentOf);
  const all = [...new Set([...others.filter((other) => isBelow(other, path)), ...servers])];
  // a folder inside one that is left out needs no word of its own
  const left = all.filter((folder) => !all.some((other) => other !== folder && isBelow(folder, other)));
  const candidates = await filesNamed(['*.db', '*.sqlite', '*.sqlite3'], path, host, signal);
  const databases: string[] = [];
  for (const file of candidates.filter((one) => !left.some((folder) => isBelow(one, folder))).slice(0, MAX_FOUND))
    if ((await printedBy(host, 'head', ['-c', '16', '--', file], signal)) === SQLITE_HEADER) databases.push(file);
  return { path, databases, left };
}

/** Folders of services, without those that are told already.
 *  @param told folders of Compose projects: what lies in one is part of it */
export async function lookAtFolders(
  told: readonly string[],
  host: Host,
  signal: AbortSignal,
): Promise<readonly FoundFolder[]> {
  const folders: FoundFolder[] = [];
  for (const base of BASES) {
    if ((await host.files.status(base, signal))?.type !== 'directory') continue;
    for (const name of (await host.files.list(base, signal)).toSorted()) {
      const path = `${base}/${name}`;
      if (NOT_SERVICES.has(name) || told.some((folder) => isBelow(path, folder))) continue;
      if ((await host.files.status(path, signal))?.type !== 'directory') continue;
      const inside = (await host.files.list(path, signal)).map((one) => `${path}/${one}`);
      if (inside.every((one) => told.includes(one))) continue; // empty, or a folder of projects and of nothing else
      const folder = await lookAtFolder(path, told, host, signal);
      if (!folder.left.includes(path)) folders.push(folder);
    }
  }
  return folders;
}
