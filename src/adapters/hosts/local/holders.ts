import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { isWithin, type Mount, parseMounts, placeOf } from './mounts.ts';

/** So many processes are looked at before anything else gets its turn. */
const AT_ONCE = 4;

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

const inMaps = (path: string): string => path.replaceAll('\n', '\\012');

/** proc(5), maps: address, permissions, offset, device, inode, path; a newline in a path is `\012`. */
function mappedFiles(maps: string): readonly string[] {
  const paths = new Set<string>();
  for (let from = 0; from < maps.length; ) {
    const end = maps.indexOf('\n', from);
    const path = maps.indexOf('/', from); // no field before it has one
    if (path < 0) break;
    if (path < end) paths.add(maps.slice(path, end));
    from = end + 1;
  }
  return [...paths].map((path) => path.replaceAll('\\012', '\n'));
}

/** Everything below `points` that a process has open, maps, or stands in; paths as its own mount namespace has them. */
function heldBy(pid: string, points: readonly string[]): readonly string[] {
  const places = [linkOf(`/proc/${pid}/cwd`), linkOf(`/proc/${pid}/root`)].filter((place) => place !== null);
  const maps = orNothing(() => readFileSync(`/proc/${pid}/maps`));
  // hundreds of lines, and nearly always none of them is meant
  const mapped = maps !== null && points.some((point) => maps.includes(inMaps(point))) ? maps.toString() : '';
  const held = [...places, ...linksOf(`/proc/${pid}/fd`), ...mappedFiles(mapped)];
  return held.filter((path) => points.some((point) => isWithin(path, point)));
}

/** PF_KTHREAD of the kernel's include/linux/sched.h. */
const KERNEL_THREAD = 0x0020_0000;

interface Seen {
  readonly parent: string;
  /** It has no files, maps nothing and stands nowhere; most of what a machine runs is that. */
  readonly isKernelThread: boolean;
}

/** proc(5), stat: state, parent, group, session, terminal, its group and flags follow the name in brackets, which may
 *  itself hold brackets and spaces. */
function seenIn(stat: string): Seen {
  const [, parent = '', , , , , flags = '0'] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { parent, isKernelThread: (Number(flags) & KERNEL_THREAD) !== 0 };
}

/** This process and all that it started. */
function ownProcesses(all: ReadonlyMap<string, Pick<Seen, 'parent'>>): ReadonlySet<string> {
  const own = new Set([`${process.pid}`]);
  // Parents may come after their children, so look again until nothing is new.
  for (let before = -1; before !== own.size; ) {
    before = own.size;
    for (const [pid, { parent }] of all) if (own.has(parent)) own.add(pid);
  }
  return own;
}

/** The processes of this machine with their parents, but for the kernel's own threads. */
export function runningProcesses(): ReadonlyMap<string, Pick<Seen, 'parent'>> {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const all = pids.map((pid) => [pid, seenIn(textOf(`/proc/${pid}/stat`) ?? '')] as const);
  return new Map(all.filter(([, { isKernelThread }]) => !isKernelThread));
}

/** The processes that hold `path`, or anything below it, as `PID NAME`. A container sees the same file under another
 *  path, so not paths are compared but places in file systems (see {@link placeOf}); what is mounted below `path` counts.
 *  `path` has no symbolic links in it. */
export async function findHolders(
  path: string,
  signal: AbortSignal,
  processes = runningProcesses(),
): Promise<readonly string[]> {
  const ownMounts = parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
  const below = ownMounts.map(({ point }) => point).filter((point) => isWithin(point, path));
  const wanted = [path, ...below].map((each) => placeOf(each, ownMounts)).filter((place) => place !== null);
  const devices = new Set(wanted.map((place) => place.split(' ', 1)[0] ?? ''));
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
  /** Many processes map the same libraries. */
  const judged = new Map<readonly Mount[], Map<string, boolean>>();
  function isWanted(held: string, mounts: readonly Mount[]): boolean {
    const known = judged.get(mounts) ?? new Map<string, boolean>();
    judged.set(mounts, known);
    const before = known.get(held);
    if (before !== undefined) return before;
    const place = placeOf(held, mounts);
    const answer = place !== null && wanted.some((each) => isWithin(place, each));
    known.set(held, answer);
    return answer;
  }
  const own = ownProcesses(processes);
  const others = [...processes.keys()].filter((pid) => !own.has(pid));
  const holders: string[] = [];
  for (const [index, pid] of others.entries()) {
    if (index % AT_ONCE === 0) await setImmediate();
    signal.throwIfAborted();
    const mounts = mountsOf(pid);
    const points = mounts.filter(({ device }) => devices.has(device)).map(({ point }) => point);
    if (points.length === 0 || !heldBy(pid, points).some((held) => isWanted(held, mounts))) continue;
    const name = (textOf(`/proc/${pid}/comm`) ?? '?').trimEnd();
    holders.push(`${pid} ${name}`);
  }
  return holders;
}
