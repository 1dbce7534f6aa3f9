import { readlinkSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Host } from '../../../ports/host.ts';
import type { ForeignMount, MountTable, Occupancy, Occupant, OwnMount } from '../../../ports/occupancy.ts';
import { isOfDrill } from '../../../process/marked.ts';
import { findHolders, runningProcesses } from './holders.ts';
import { isWithin, type Mount, parseMounts, placeOf } from './mounts.ts';

/** A mount hangs when a network file system beneath it does. */
const LIMIT_MS = 60_000;

/** A mount with the groups by which mounts of other namespaces follow it (mount_namespaces(7)) and its own options. */
interface GroupedMount extends Mount {
  readonly options: readonly string[];
  readonly groups: readonly string[];
}

/** The optional fields stand between the options and a lone hyphen: `shared:1 master:2` (proc(5)). */
function groupedMounts(mountinfo: string): readonly GroupedMount[] {
  const lines = mountinfo.split('\n').filter((line) => line !== '');
  const mounts = parseMounts(mountinfo);
  return mounts.map((mount, index) => {
    const [before = ''] = (lines[index] ?? '').split(' - ');
    const [, , , , , options = '', ...optional] = before.split(' ');
    const groups = optional.flatMap((field) => /^(?:shared|master):(\d+)$/.exec(field)?.[1] ?? []);
    return { ...mount, options: options.split(','), groups };
  });
}

const read = async (path: string): Promise<string> => (await readFile(path, 'utf8').catch(() => null)) ?? '';

const occupantOf = (holder: string): Occupant => {
  const [pid = '', ...name] = holder.split(' ');
  return { pid: Number(pid), name: name.join(' ') };
};

/** The mounts and processes of this machine, as /proc shows them. `mount` and `umount` are programs of `host`. */
export function localMountTable(host: Host): MountTable {
  return {
    async occupancy(path, signal) {
      const own = groupedMounts(await read('/proc/self/mountinfo'));
      const place = placeOf(path, own);
      if (place === null) return { occupants: [], own: [], foreign: [], inner: [] };
      const processes = runningProcesses();
      const occupants = (await findHolders(path, signal, processes)).map(occupantOf);
      const inner = own.filter(({ point }) => point !== path && isWithin(point, path)).map(({ point }) => point);
      const shown = own.filter((mount) => shows(mount, place) && !isWithin(mount.point, path));
      const answer: Occupancy = {
        occupants,
        inner,
        own: shown.map((mount) => ownMountOf(mount, place)),
        foreign: await foreignMounts(place, shown, [...processes.keys()], signal),
      };
      return answer;
    },
    async show({ point, path, options }, signal) {
      if (await isSame(point, path)) return;
      const mounts = parseMounts(await read('/proc/self/mountinfo'));
      const top = mounts.findLast((mount) => mount.point === point);
      const device = placeOf(path, mounts)?.split(' ')[0];
      if (top !== undefined && top.device === device) await unmount(point, host, signal);
      const words = options.filter((option) => KEPT_OPTIONS.has(option)).join(',');
      const args = ['--bind', ...(words === '' ? [] : ['-o', words]), '--', path, point];
      await host.run({ program: 'mount', args }, { signal, limitMs: LIMIT_MS });
    },
    hide: (point, signal) => unmount(point, host, signal),
  };
}

/** Options of a mount, not of the file system, that a bind mount takes (mount(8)). */
const KEPT_OPTIONS = new Set(['ro', 'nosuid', 'nodev', 'noexec', 'noatime', 'nodiratime', 'relatime']);

async function unmount(point: string, host: Host, signal: AbortSignal): Promise<void> {
  const ended = await host.run(
    { program: 'umount', args: ['--', point] },
    { signal, limitMs: LIMIT_MS, accept: [0, 1, 32] },
  );
  if (ended.exitCode === 0) return;
  throw new HoldfastError('TargetBusy', `${point} cannot be unmounted: ${ended.stderrTail.trim()}`, point, {
    hint: `See who uses it with: fuser -vm ${point}`,
  });
}

/** The same folder of the same file system; every BTRFS subvolume has a device of its own. */
async function isSame(point: string, path: string): Promise<boolean> {
  const [one, other] = await Promise.all([stat(point, { bigint: true }), stat(path, { bigint: true })]);
  return one.dev === other.dev && one.ino === other.ino;
}

const placeText = ({ device, root }: Mount): string => `${device} ${root.replace(/\/$/, '')}`;
const shows = (mount: Mount, place: string): boolean => isWithin(placeText(mount), place);
const ownMountOf = (mount: GroupedMount, place: string): OwnMount => ({
  point: mount.point,
  inside: placeText(mount).slice(place.length + 1),
  options: mount.options,
});

/** Null for a process that ended. At once: /proc is memory, and there are many. */
function namespaceOf(pid: string): string | null {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return null;
  }
}

/** Mounts that only others see. One that follows a mount of ours is taken away and made again together with it; those of a
 *  drill are copies that nobody in it looks at. */
async function foreignMounts(
  place: string,
  own: readonly GroupedMount[],
  processes: readonly string[],
  signal: AbortSignal,
): Promise<readonly ForeignMount[]> {
  const groups = new Set(own.flatMap((mount) => mount.groups));
  const ours = readlinkSync('/proc/self/ns/mnt');
  const namespaces = new Map<string, number[]>();
  for (const pid of processes) {
    const namespace = namespaceOf(pid);
    if (namespace === null || namespace === ours) continue;
    namespaces.set(namespace, [...(namespaces.get(namespace) ?? []), Number(pid)]);
  }
  const found: ForeignMount[] = [];
  for (const pids of namespaces.values()) {
    signal.throwIfAborted();
    const mounts = groupedMounts(await read(`/proc/${pids[0]}/mountinfo`));
    const stays = mounts.filter((mount) => shows(mount, place) && !mount.groups.some((group) => groups.has(group)));
    if (stays.length === 0 || pids.some(isOfDrill)) continue;
    const occupants = await Promise.all(
      pids.map(async (pid) => ({ pid, name: (await read(`/proc/${pid}/comm`)).trimEnd() || '?' })),
    );
    for (const { point } of stays) found.push({ point, occupants });
  }
  return found;
}
