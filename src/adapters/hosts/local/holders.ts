import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { isWithin, type Mount, parseMounts, placeOf } from './mounts.ts';

/** So many processes are looked at before anything else gets its turn. */
const AT_ONCE = 100;

/** Read at once: what /proc shows comes from memory, and a turn of a thread for each of ten thousand links takes ten times
 *  as long. Null for a process that ended while it was looked at, or one of another account that does not show it. */
function orNothing<Value>(read: () => Value): Value | null {
  try {
    return read();
  } catch {
    return null;
  }
}
const linkOf = (path: string): string | null => orNothing(() => readlinkSync(path));
const textOf = (path: string): string | null => orNothing(() => readFileSync(path, 'utf8'));

const linksOf = (folder: string): readonly string[] =>
  (orNothing(() => readdirSync(folder)) ?? []).flatMap((name) => linkOf(`${folder}/${name}`) ?? []);

/** proc(5), maps: address, permissions, offset, device, inode, path; a newline in a path is `\012`. */
const mappedFiles = (maps: string): readonly string[] => {
  const paths = maps.split('\n').flatMap((line) => /^(?:\S+\s+){5}(\/.*)$/.exec(line)?.[1] ?? []);
  return [...new Set(paths)].map((path) => path.replaceAll('\\012', '\n'));
};

/** Everything that a process has open, maps, or stands in; paths as its own mount namespace has them. */
function heldBy(pid: string): readonly string[] {
  const places = [linkOf(`/proc/${pid}/cwd`), linkOf(`/proc/${pid}/root`)].filter((place) => place !== null);
  const mapped = mappedFiles(textOf(`/proc/${pid}/maps`) ?? '');
  return [...places, ...linksOf(`/proc/${pid}/fd`), ...mapped].filter((path) => path.startsWith('/'));
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
  const ownMounts = parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
  const below = ownMounts.map(({ point }) => point).filter((point) => isWithin(point, path));
  const wanted = [path, ...below].map((each) => placeOf(each, ownMounts)).filter((place) => place !== null);
  const ownNamespace = readlinkSync('/proc/self/ns/mnt');
  const namespaces = new Map<string, readonly Mount[]>([[ownNamespace, ownMounts]]);
  function mountsOf(pid: string): readonly Mount[] {
    const namespace = linkOf(`/proc/${pid}/ns/mnt`) ?? ownNamespace;
    const known = namespaces.get(namespace);
    if (known !== undefined) return known;
    const mounts = parseMounts(textOf(`/proc/${pid}/mountinfo`) ?? '');
    namespaces.set(namespace, mounts);
    return mounts;
  }
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const own = ownProcesses(new Map(pids.map((pid) => [pid, parentOf(textOf(`/proc/${pid}/stat`) ?? '')])));
  const holders: string[] = [];
  for (const [index, pid] of pids.filter((each) => !own.has(each)).entries()) {
    if (index % AT_ONCE === 0) await setImmediate();
    signal.throwIfAborted();
    const mounts = mountsOf(pid);
    const places = heldBy(pid)
      .map((each) => placeOf(each, mounts))
      .filter((place) => place !== null);
    if (!places.some((place) => wanted.some((each) => isWithin(place, each)))) continue;
    const name = (textOf(`/proc/${pid}/comm`) ?? '?').trimEnd();
    holders.push(`${pid} ${name}`);
  }
  return holders;
}
