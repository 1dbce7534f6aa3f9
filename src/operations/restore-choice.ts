import { HoldfastError } from '../domain/errors.ts';
import { normalName } from '../domain/tree-name.ts';
import { isBelow, trimSlashes } from '../domain/tree-path.ts';
import type { TreeEntry } from '../ports/repository.ts';
import type { Context } from './context.ts';
import { namedItem, type ReadableItem, readableItems, seeNames } from './point-items.ts';
import type { SelectedPoint } from './point-selection.ts';
import type { RestoreRequest } from './restore-request.ts';

/** One item, or what is at or below one path of it. */
export interface Choice extends ReadableItem {
  /** As `ls` prints it, without slashes around it; null for the whole item. */
  readonly path: string | null;
  /** What its plain bytes will take on the disk: exact for a dump, the size of its tar for a tree. */
  readonly bytes: number;
}

export interface Chosen {
  readonly choices: readonly Choice[];
  /** Items of the point whose backup had failed, so that they cannot be among the choices. */
  readonly missing: readonly string[];
}

/** What a request takes out of a point. A path takes the trees that have it, and no dump.
 *  @throws ItemNotFound, PathNotFound */
export async function choose(
  request: Pick<RestoreRequest, 'items' | 'path'>,
  selected: SelectedPoint,
  context: Pick<Context, 'format'>,
  signal: AbortSignal,
): Promise<Chosen> {
  const { point } = selected;
  const readable = await readableItems(point, context);
  const named = request.items?.map((name) => namedItem(name, readable, point));
  const items = named === undefined ? readable : [...new Set(named)];
  if (request.path !== undefined) {
    return { choices: await choosePath(request.path, items, selected, signal), missing: [] };
  }
  if (items.length === 0) throw new HoldfastError('ItemNotFound', `Recovery point ${point.id} has no item.`, point.id);
  const failed = named === undefined ? (point.manifest?.items ?? []).filter(({ outcome }) => outcome === 'failed') : [];
  const choices = items.map((item) => ({ ...item, path: null, bytes: plainBytes(item) ?? point.totalSize }));
  return { choices, missing: failed.map(({ name }) => name) };
}

const plainBytes = ({ item }: ReadableItem): number | null => item && (item.originalSize ?? item.size);

async function choosePath(
  text: string,
  items: readonly ReadableItem[],
  selected: SelectedPoint,
  signal: AbortSignal,
): Promise<readonly Choice[]> {
  const path = trimSlashes(normalName(text));
  const choices: Choice[] = [];
  for (const item of items) {
    const roots = item.item?.roots ?? null;
    const mayHave = roots?.some(({ stored }) => isBelow(path, stored) || isBelow(stored, path)) ?? true;
    if (!item.tree || !mayHave) continue;
    let members = 0;
    let bytes = 0;
    for await (const { size } of chosenEntries({ ...item, path }, selected, signal)) {
      members++;
      bytes += size;
    }
    if (members > 0) choices.push({ ...item, path, bytes });
  }
  if (choices.length > 0) return choices;
  const names = items.map(({ name }) => name).join(', ');
  const { id } = selected.point;
  throw new HoldfastError('PathNotFound', `Nothing is called ${text} in ${names} of ${id}.`, text, {
    hint: seeNames(id),
  });
}

/** The members that a choice takes out of a tree. */
export async function* chosenEntries(
  { name, path }: Pick<Choice, 'name' | 'path'>,
  { repository, point }: SelectedPoint,
  signal: AbortSignal,
): AsyncGenerator<TreeEntry> {
  for await (const entry of repository.entries(point, name, signal)) {
    if (path === null || isBelow(entry.path, path)) yield entry;
  }
}
