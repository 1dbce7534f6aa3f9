import { HoldfastError } from '../domain/errors.ts';
import { isBelow } from '../domain/tree-path.ts';
import type { Occupancy, Occupant, OwnMount } from '../ports/occupancy.ts';
import type { Unit } from '../ports/unit.ts';
import { nearestExisting } from './existing-path.ts';
import type { GuardContext } from './guard-context.ts';

/** Names at most so many of what stands in the way. */
const NAMED = 8;

/** How long somebody must stay to be in the way. A container that starts holds, for a moment, a copy of every mount of
 *  the machine; backups and health checks pass through. In milliseconds. */
const PASSING_MS = 4000;
/** How long a moment is waited for at which nobody passes, in milliseconds. */
const CROWDED_MS = 15_000;
const LOOK_AGAIN_MS = 250;

type Looks = Pick<GuardContext, 'mounts' | 'clock'>;

/** Looks who would stay on the old data if a folder were exchanged now (interface, section 10, line 1). What a declared
 *  unit owns goes away when it is stopped; a mount of this machine can be made again; who only passes through is no reason.
 *  @param units whose processes are no reason
 *  @throws TargetBusy naming every process, and every mount that only others see */
export async function refuseOccupied(
  path: string,
  units: readonly Unit[],
  context: Looks,
  signal: AbortSignal,
): Promise<Occupancy> {
  let found: Occupancy | undefined;
  const reasons = await whatStays(context, signal, async () => {
    found = await context.mounts.occupancy(path, signal);
    return reasonsIn(found, units, signal);
  });
  if (reasons.length === 0 && found !== undefined) return found;
  throw new HoldfastError('TargetBusy', `${path} is used by ${list(reasons)}, which no declared unit owns.`, path, {
    hint: 'End or unmount it, or declare its unit in the subvolume: it would go on with the old data',
  });
}

async function reasonsIn(found: Occupancy, units: readonly Unit[], signal: AbortSignal): Promise<readonly string[]> {
  const owned = new Set((await Promise.all(units.map((unit) => unit.processes(signal)))).flat());
  const strangers = found.occupants.filter(({ pid }) => !owned.has(pid)).map(describe);
  const foreign = found.foreign
    .filter(({ occupants }) => !occupants.some(({ pid }) => owned.has(pid)))
    .map(({ point, occupants }) => `a mount at ${point} that ${list(occupants.map(describe))} sees`);
  const inner = found.inner.map((point) => `another file system mounted at ${point}`);
  return [...strangers, ...foreign, ...inner];
}

/** Looks again until nothing is found, or something has stayed long enough. */
async function whatStays(
  { clock }: Looks,
  signal: AbortSignal,
  look: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const end = clock.monotonicMs() + CROWDED_MS;
  let since: ReadonlyMap<string, number> = new Map();
  for (;;) {
    const found = await look();
    const now = clock.monotonicMs();
    since = new Map(found.map((one) => [one, since.get(one) ?? now]));
    if (found.length === 0 || now >= end || Math.min(...since.values()) <= now - PASSING_MS) return found;
    await clock.sleep(LOOK_AGAIN_MS, signal);
  }
}

/** What Holdfast itself needs must not be exchanged with the data: the journal of the exchange would go with them.
 *  @param own mounts of this machine that show the folder
 *  @throws Refused */
export async function refuseOwnPaths(
  path: string,
  own: readonly OwnMount[],
  { ownPaths, host }: Pick<GuardContext, 'ownPaths' | 'host'>,
  signal: AbortSignal,
): Promise<void> {
  const { files } = await host('local');
  const folder = await files.status(path, signal);
  const parent = await files.status(path.replace(/\/[^/]+$/, ''), signal);
  const ownDevice = folder !== null && folder.device !== parent?.device; // a BTRFS subvolume has a device of its own
  for (const wanted of ownPaths) {
    const real = await files.realPath(await nearestExisting(wanted, files, signal), signal);
    const onDevice = ownDevice && (await files.status(real, signal))?.device === folder.device;
    if (!onDevice && ![path, ...own.map(({ point }) => point)].some((each) => isBelow(real, each))) continue;
    const words = `${wanted} lies on ${path}: Holdfast's own state, catalog or repository would be taken back with it.`;
    throw new HoldfastError('Refused', words, wanted, {
      hint: 'Put it elsewhere: STATE_DIRECTORY, `catalog`, or the path of the repository',
    });
  }
}

/** The units that still use what was set aside, by name, and everybody else who does. */
export async function usersOf(
  path: string,
  units: readonly Unit[],
  context: Looks,
  signal: AbortSignal,
): Promise<readonly string[]> {
  return whatStays(context, signal, async () => {
    const { occupants, foreign, own } = await context.mounts.occupancy(path, signal);
    const processes = new Map<number, string>();
    for (const unit of units) for (const pid of await unit.processes(signal)) processes.set(pid, unit.name);
    const nameOf = (one: Occupant): string => processes.get(one.pid) ?? describe(one);
    const names = [...occupants.map(nameOf), ...foreign.flatMap((mount) => mount.occupants.map(nameOf))];
    return [...new Set([...names, ...own.map(({ point }) => `the mount ${point}`)])];
  });
}

const describe = ({ pid, name }: Occupant): string => `process ${pid} (${name})`;

const list = (names: readonly string[]): string =>
  names.length <= NAMED ? names.join(', ') : `${names.slice(0, NAMED).join(', ')} and ${names.length - NAMED} more`;
