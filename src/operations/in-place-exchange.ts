import { beside } from '../domain/beside.ts';
import { HoldfastError } from '../domain/errors.ts';
import { isBelow, parentOf } from '../domain/tree-path.ts';
import type { Step } from '../journal/step.ts';
import type { Host, HostFiles, PathStatus } from '../ports/host.ts';
import type { InPlacePath } from '../ports/source.ts';
import { freeName } from './in-place-kept.ts';
import type { Choice } from './restore-choice.ts';

/** A new state that is made of a snapshot, in place of being read from the point. */
export interface CopyOfSnapshot {
  /** Under this path, on the file system of what it replaces. */
  readonly staged: string;
  /** Recorded before it is made. */
  readonly step: Step;
  make(signal: AbortSignal): Promise<void>;
}

/** One path that will be exchanged. */
export interface Exchange extends InPlacePath {
  readonly choice: Choice;
  /** The source's root that it is, or lies in. */
  readonly root: string;
  /** Those of the companions that are there. */
  readonly presentCompanions: readonly string[];
  /** Null when nothing is there now. */
  readonly present: PathStatus | null;
  /** The topmost folder above `path` that has to be made; null when its parent is there. */
  readonly missingParent: string | null;
  /** `rename`: the path itself gets another name. `contents`: the path is a mount point, or a folder that a running
   *  container has mounted, so its entries do. `nested`: it lies in another exchanged path and is put into what is
   *  restored there. */
  readonly way: 'rename' | 'contents' | 'nested';
  /** Where the present state goes: a name beside the path, or a folder in a mount point. */
  readonly kept: string;
  /** Two paths with the same one can be renamed to each other: their mount and their device. */
  readonly place: string;
  /** A folder of our own on the path's file system. Exchanges that share it can be filled by one reading. */
  readonly stage: string;
  /** Null when it is read from the point. */
  readonly copy: CopyOfSnapshot | null;
}

/** What is the same for all exchanges of a plan. */
interface Surroundings {
  readonly host: Host;
  readonly mounts: readonly string[];
  /** Whether a container that goes on running has something of it mounted. */
  readonly mounted: boolean;
  readonly suffix: string;
  readonly id: string;
}

/** Finds out how one path is exchanged. @throws TargetBusy for a mount inside it */
export async function exchangeOf(
  placement: InPlacePath,
  root: string,
  choice: Choice,
  { host, mounts, mounted, suffix, id }: Surroundings,
  signal: AbortSignal,
): Promise<Exchange> {
  const { files } = host;
  const { path } = placement;
  const inside = mounts.filter((mount) => mount !== path && isBelow(mount, path));
  if (inside.length > 0) {
    const words = `${inside.join(', ')} is mounted inside ${path}, which cannot be exchanged therefore.`;
    throw new HoldfastError('TargetBusy', words, path, { hint: 'Unmount it, or restore a part with: --path' });
  }
  const present = await files.status(path, signal);
  const presentCompanions = await thereOf(placement.companions, files, signal);
  const stageSuffix = `.holdfast-restore-${id.toLowerCase()}`;
  const common = { ...placement, root, presentCompanions, choice, present, copy: null };
  if (mounts.includes(path)) {
    const kept = await freeName(`${path}/${suffix}`, files, signal);
    const stage = `${path}/${stageSuffix}`;
    return { ...common, missingParent: null, way: 'contents', kept, place: placeOf(path, present, mounts), stage };
  }
  const missingParent = await topmostMissing(path, host, signal);
  const folder = parentOf(missingParent ?? path);
  const place = placeOf(folder, await files.status(folder, signal), mounts);
  const kept = await freeName(beside(path, suffix), files, signal);
  if (placement.stays === true) {
    const way = mounted ? 'contents' : 'rename';
    return { ...common, missingParent: null, way, kept, place, stage: beside(path, stageSuffix) };
  }
  return { ...common, missingParent, way: 'rename', kept, place, stage: beside(missingParent ?? path, stageSuffix) };
}

/** Those of some paths that are there. */
export async function thereOf(paths: readonly string[], files: HostFiles, signal: AbortSignal): Promise<string[]> {
  const there: string[] = [];
  for (const path of paths) if ((await files.status(path, signal)) !== null) there.push(path);
  return there;
}

/** On BTRFS one mount has several devices, and no rename leads from one to another. */
function placeOf(folder: string, status: PathStatus | null, mounts: readonly string[]): string {
  const above = mounts.filter((mount) => isBelow(folder, mount));
  return `${above.toSorted((left, right) => right.length - left.length)[0] ?? '/'} ${status?.device}`;
}

async function topmostMissing(path: string, { files }: Host, signal: AbortSignal): Promise<string | null> {
  let missing: string | null = null;
  for (let folder = parentOf(path); (await files.status(folder, signal)) === null; folder = parentOf(folder)) {
    missing = folder;
  }
  return missing;
}

/** Says of each exchange whether it lies in another one: in the outermost. One that lies in a path of the same item is
 *  dropped, since the item's tar has it there; so is one in a path that a snapshot holds, which has it of the same
 *  moment as all around it. */
export function nested(all: readonly Exchange[]): readonly Exchange[] {
  const outermostFirst = all.toSorted((left, right) => left.path.length - right.path.length);
  return outermostFirst.flatMap((exchange) => {
    const outer = outermostFirst.find(({ path }) => path !== exchange.path && isBelow(exchange.path, path));
    if (outer === undefined) return [exchange];
    return outer.choice.name === exchange.choice.name || outer.copy !== null
      ? []
      : [{ ...exchange, way: 'nested' as const, stage: outer.stage }];
  });
}

/** Paths in one place share the stage of the first, so that an item is read once for all of them. */
export function shareStages(exchanges: readonly Exchange[]): readonly Exchange[] {
  const stages = new Map<string, string>();
  return exchanges.map((exchange) => {
    const stage = stages.get(exchange.place) ?? exchange.stage;
    stages.set(exchange.place, stage);
    return { ...exchange, stage };
  });
}
