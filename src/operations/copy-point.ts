import { HoldfastError } from '../domain/errors.ts';
import type { Item, Manifest } from '../domain/manifest.ts';
import type { RecoveryPoint } from '../domain/recovery-point.ts';
import type { Draft, Repository } from '../ports/repository.ts';
import { totalSizeOf } from './capture.ts';
import type { Context } from './context.ts';
import { type EarlierPoints, earlierPoints } from './earlier-points.ts';
import { refresh } from './refresh.ts';

export interface CopyOptions {
  /** IANA name in which a `single` archive is named. */
  readonly timezone: string;
  readonly lockWaitMs: number;
}

/** Copies a point under its id into another repository, proving every byte while it is read; all of its items, or
 *  nothing. Where the other repository has the point already, that one is the answer.
 *  @throws Unsupported for a foreign archive; Damaged when the point is */
export async function copyPoint(
  point: RecoveryPoint,
  from: Repository,
  to: Repository,
  { timezone, lockWaitMs }: CopyOptions,
  context: Pick<Context, 'catalog' | 'clock' | 'origin' | 'progress'>,
  signal: AbortSignal,
): Promise<{ readonly point: RecoveryPoint; readonly copied: boolean }> {
  const manifest = manifestToCopy(point);
  await using _ = await from.lock({ kind: 'point', id: point.id }, 'shared', lockWaitMs, signal);
  const { id, service, plan, type, origin } = manifest;
  const header = { id, service, plan, type, origin, timestamp: point.timestamp, timezone };
  const { points } = await refresh(to, service, context, signal);
  const there = points.find((other) => other.id === id);
  if (there !== undefined) return { point: await to.find(there, signal), copied: false };
  await using draft = await to.begin(header, lockWaitMs, signal);
  const earlier = earlierPoints(points, to, context, signal);
  const items: Item[] = [];
  for (const item of manifest.items)
    items.push(
      item.outcome === 'failed' ? item : await copyItem(item, { point, from, to, draft, earlier }, context, signal),
    );
  const { archive: _archive, ...rest } = manifest;
  const copy: Manifest = { ...rest, items, totalSize: totalSizeOf(items) };
  return { point: await draft.commit(copy, point.held, signal), copied: true };
}

/** @throws Unsupported for a foreign archive, which has none */
export function manifestToCopy({ manifest, location, id }: RecoveryPoint): Manifest {
  if (manifest !== null) return manifest;
  throw new HoldfastError('Unsupported', `${location} was made by another tool and has no manifest.`, id, {
    hint: 'Copy the archive itself with the tools of the system',
  });
}

interface ItemCopy {
  readonly point: RecoveryPoint;
  readonly from: Repository;
  readonly to: Repository;
  readonly draft: Draft;
  readonly earlier: EarlierPoints;
}

async function copyItem(
  item: Item,
  { point, from, to, draft, earlier }: ItemCopy,
  { progress }: Pick<Context, 'progress'>,
  signal: AbortSignal,
): Promise<Item> {
  const subject = item.name;
  progress({ type: 'item-started', subject, totalBytes: item.originalSize ?? item.size });
  const same = to.capabilities.reuse ? await earlier.whole(item.name) : null;
  const reusable = same !== null && plainHash(same.item) !== null && plainHash(same.item) === plainHash(item);
  const reused = reusable ? await draft.reuse(item.name, same.point, signal) : null;
  const stored = reused ?? (await draft.putCopy(item, from.open(point, item.name, signal), signal));
  progress({ type: 'item-finished', subject, outcome: item.outcome, detail: reused === null ? '' : 'there already' });
  const { file: _file, member: _member, storedWith: _storedWith, index: _index, roots: _roots, ...rest } = item;
  return { ...rest, ...stored };
}

/** Of the plain stream; null in a `single` archive, whose items have no hash of their own. */
const plainHash = ({ originalSha256, sha256, compression, encryption }: Item): string | null =>
  originalSha256 ?? (compression === 'none' && encryption === null ? sha256 : null);
