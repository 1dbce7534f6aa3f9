import { HoldfastError } from '../domain/errors.ts';
import type { Item } from '../domain/manifest.ts';
import type { RecoveryPoint } from '../domain/recovery-point.ts';
import type { Context } from './context.ts';

/** An item of a point that can be read. `item` is null for what a foreign archive holds. */
export interface ReadableItem {
  readonly name: string;
  readonly source: string;
  /** True for a tar, false for a dump. */
  readonly tree: boolean;
  /** The name of a dump without what compression and sealing add: `sqlite_notes.db`; null for a tree. */
  readonly file: string | null;
  /** How `ls` prints a dump: that name, or in a `single` archive the one it has there; null for a tree. */
  readonly listedAs: string | null;
  readonly item: Item | null;
}

/** The one item that a repository shows of an archive that another tool made. */
export const FOREIGN_ITEM = 'archive';

const ADDED = /(\.(zst|gz))?(\.(age|gpg))?$/;

/** What can be read of a point: every item but the failed ones. @throws Unsupported for a kind that is not built */
export async function readableItems(
  point: RecoveryPoint,
  context: Pick<Context, 'format'>,
): Promise<readonly ReadableItem[]> {
  if (point.manifest === null) {
    return [{ name: FOREIGN_ITEM, source: FOREIGN_ITEM, tree: true, file: null, listedAs: null, item: null }];
  }
  const stored = point.manifest.items.filter(({ outcome }) => outcome !== 'failed');
  return Promise.all(
    stored.map(async (item) => {
      const { tree } = await context.format(item.kind);
      const file = tree ? null : plainName(item);
      return { name: item.name, source: item.source, tree, file, listedAs: file && (item.member ?? file), item };
    }),
  );
}

/** In a `single` archive an item has no file of its own: the archive is what is compressed and sealed. */
const plainName = ({ file, member, name }: Item): string =>
  file?.replace(ADDED, '') ?? member?.replace(/^.*\//, '') ?? name;

/** The item of this name, or the only one of a source of this name.
 *  @throws ItemNotFound; it says so when the item is there and failed */
export function namedItem(name: string, items: readonly ReadableItem[], point: RecoveryPoint): ReadableItem {
  const ofSource = items.filter(({ source }) => source === name);
  const found = items.find((item) => item.name === name) ?? (ofSource.length === 1 ? ofSource[0] : undefined);
  if (found !== undefined) return found;
  const failed = point.manifest?.items.find((item) => item.name === name && item.outcome === 'failed');
  const words =
    failed === undefined
      ? `Recovery point ${point.id} has no item "${name}"; it has ${items.map((item) => item.name).join(', ')}.`
      : `Item ${name} of recovery point ${point.id} holds nothing: its backup failed (${failed.error}).`;
  throw new HoldfastError('ItemNotFound', words, name, { hint: `See its items with: holdfast show ${point.id}` });
}

/** The hint where a name was not found in a point, or in one item of it. */
export const seeNames = (point: string, item?: string): string =>
  `See the names in it with: ${['holdfast ls', point, ...(item === undefined ? [] : [item])].join(' ')}`;
