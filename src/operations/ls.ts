import { HoldfastError } from '../domain/errors.ts';
import { normalName } from '../domain/tree-name.ts';
import { isBelow } from '../domain/tree-path.ts';
import type { TreeEntry } from '../ports/repository.ts';
import type { Context } from './context.ts';
import { namedItem, type ReadableItem, readableItems, seeNames } from './point-items.ts';
import { type PointQuery, type SelectedPoint, selectPoint } from './point-selection.ts';

export interface LsRequest extends PointQuery {
  /** All items when left out. */
  readonly item?: string | undefined;
  /** Only what is at or below it, as `ls` prints it, with or without a leading slash. */
  readonly path?: string | undefined;
}

export interface LsEntry extends TreeEntry {
  readonly item: string;
}

/** The names in a point: the members of its trees in the order of the tar, and each dump as one file. The point's shared
 *  lock is held until the iteration ends or is left.
 *  @throws as `selectPoint`; ItemNotFound, PathNotFound */
export async function* ls(request: LsRequest, context: Context, signal: AbortSignal): AsyncGenerator<LsEntry> {
  const selected = await selectPoint({ ...request, evenFailed: true }, context, signal);
  const { repository, point } = selected;
  await using _ = await repository.lock({ kind: 'point', id: point.id }, 'shared', 0, signal);
  const items = await readableItems(point, context);
  const wanted = request.item === undefined ? items : [namedItem(request.item, items, point)];
  const path = request.path === undefined ? null : normalName(request.path);
  let found = false;
  for (const item of wanted) {
    for await (const entry of entriesOf(item, selected, signal)) {
      if (path !== null && !isBelow(entry.path, path)) continue;
      found = true;
      yield { ...entry, item: item.name };
    }
  }
  if (request.path === undefined || found) return;
  throw new HoldfastError('PathNotFound', `Nothing is called ${request.path} in ${point.id}.`, request.path, {
    hint: seeNames(point.id, request.item),
  });
}

/** A dump looks like one file of its plain size, as old as its bytes. */
async function* entriesOf(
  { name, tree, listedAs, item }: ReadableItem,
  { repository, point }: SelectedPoint,
  signal: AbortSignal,
): AsyncGenerator<TreeEntry> {
  if (tree) yield* repository.entries(point, name, signal);
  if (listedAs === null || item === null) return;
  const mtime = Temporal.Instant.from(item.readAt).epochMilliseconds / 1000;
  yield { path: listedAs, type: 'file', size: item.originalSize ?? item.size, mode: 0o600, mtime, uid: 0, gid: 0 };
}
