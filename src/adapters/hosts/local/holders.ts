import { readdir, readFile, readlink } from 'node:fs/promises';
import { isWithin, type Mount, parseMounts, placeOf } from './mounts.ts';

/** A process that ended while it was looked at, or one of another account that does not show what it holds. */
const nothing = (): null => null;

const linksOf = async (folder: string): Promise<readonly string[]> => {
  const names = (await readdir(folder).catch(nothing)) ?? [];
  const targets = await Promise.all(names.map((name) => readlink(`${folder}/${name}`).catch(nothing)));
  return targets.filter((target) => target !== null);
};

/** proc(5), maps: address, permissions, offset, device, inode, path; a newline in a path is `\012`. */
const mappedFiles = (maps: string): readonly string[] => {
  const paths = maps.split('\n').flatMap((line) => /^(?:\S+\s+){5}(\/.*)$/.exec(line)?.[1] ?? []);
  return [...new Set(paths)].map((path) => path.replaceAll('\\012', '\n'));
};

/** Everything that a process has open, maps, or stands in; paths as its own mount namespace has them. */
async function heldBy(pid: string): Promise<readonly string[]> {
  const one = (name: string): Promise<string | null> => readlink(`/proc/${pid}/${name}`).catch(nothing);
  const [cwd, root, files, maps] = await Promise.all([
    one('cwd'),
    one('root'),
    linksOf(`/proc/${pid}/fd`),
    readFile(`/proc/${pid}/maps`, 'utf8').catch(nothing),
  ]);
  return [cwd, root, ...files, ...mappedFiles(maps ?? '')].filter((path) => path?.startsWith('/') === true) as string[];
}

/** The fourth field of /proc/PID/stat, after the name in brackets, which may itself hold brackets and spaces. */
const parentOf = (stat: string): string => stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? '';

/** This process and all that it started. */
function ownProcesses(parents: ReadonlyMap<string, string>): ReadonlySet<string> {
  const own = new Set([`${process.pid}`]);
  // Parents may come after their children, so look again until nothing is new.
  for (let before = -1; before !== own.size; ) {
    before = own.size;
    for (const [pid, parent] of parents) if (own.has(parent)) own.add(pid);
  }
  return own;
}

/** The processes that hold `path`, or anything below it, as `PID NAME`. A container sees the same file under another
 *  path, so not paths are compared but places in file systems (see {@link placeOf}); what is mounted below `path` counts.
 *  `path` has no symbolic links in it. */
export async function findHolders(path: string, signal: AbortSignal): Promise<readonly string[]> {
  const ownMounts = parseMounts(await readFile('/proc/self/mountinfo', 'utf8'));
  const below = ownMounts.map(({ point }) => point).filter((point) => isWithin(point, path));
  const wanted = [path, ...below].map((each) => placeOf(each, ownMounts)).filter((place) => place !== null);
  const ownNamespace = await readlink('/proc/self/ns/mnt');
  const namespaces = new Map<string, readonly Mount[]>([[ownNamespace, ownMounts]]);
  async function mountsOf(pid: string): Promise<readonly Mount[]> {
    const namespace = (await readlink(`/proc/${pid}/ns/mnt`).catch(nothing)) ?? ownNamespace;
    const known = namespaces.get(namespace);
    if (known !== undefined) return known;
    const mounts = parseMounts((await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(nothing)) ?? '');
    namespaces.set(namespace, mounts);
    return mounts;
  }
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(
    pids.map(
      async (pid) => [pid, parentOf((await readFile(`/proc/${pid}/stat`, 'utf8').catch(nothing)) ?? '')] as const,
    ),
  );
  const own = ownProcesses(new Map(stats));
  const holders: string[] = [];
  for (const pid of pids.filter((each) => !own.has(each))) {
    signal.throwIfAborted();
    const held = await heldBy(pid);
    const mounts = await mountsOf(pid);
    const places = held.map((each) => placeOf(each, mounts)).filter((place) => place !== null);
    if (!places.some((place) => wanted.some((each) => isWithin(place, each)))) continue;
    const name = ((await readFile(`/proc/${pid}/comm`, 'utf8').catch(nothing)) ?? '?').trimEnd();
    holders.push(`${pid} ${name}`);
  }
  return holders;
}
