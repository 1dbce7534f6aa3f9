import type { ServiceDefinition } from '../domain/definitions.ts';
import { isBelow, parentOf, trimSlashes } from '../domain/tree-path.ts';
import type { LiveData, ScratchPlace } from '../ports/scratch.ts';
import type { Context } from './context.ts';
import type { Drilling } from './drill-items.ts';
import type { Scene } from './drill-scene.ts';
import { liveSockets, settingOf } from './live-sockets.ts';

type Replaced = LiveData['replaced'][number];

/** https://www.sqlite.org/fileformat.html, section 1.3, but for the zero at its end. */
const SQLITE_HEADER = 'SQLite format 3';

/** What is live of a service, for checks of its copy. A tree is replaced by what was restored of it. A database file is so
 *  only in such a tree: elsewhere SQLite would take the live log beside it for its own, and remove it, so that it is
 *  hidden. Where there is no live folder nothing can be put in its place. */
export async function liveDataOf(
  { sources }: ServiceDefinition,
  drilled: readonly Drilling[],
  { place, restored }: Scene,
  { services }: Pick<Context, 'services'>,
  signal: AbortSignal,
): Promise<LiveData> {
  const trees: Replaced[] = [];
  const hidden: string[] = [];
  for (const { path, stored } of drilled.flatMap(({ choice }) => choice.item.roots ?? [])) {
    const by = `${restored}/${stored}`;
    const apart = path.startsWith('/') && !isBelow(place.folder, path) && !isBelow(path, place.folder);
    if (!apart) continue;
    if (await isReplaceable({ path, by }, place, signal)) trees.push({ path, by, made: false });
    else hidden.push(path);
  }
  const outerFirst = trees.toSorted((left, right) => left.path.length - right.path.length);
  const replaced = [...outerFirst];
  for (const { name, kind, settings } of sources) {
    const path = settingOf(kind, settings);
    const file = drilled.find(({ choice }) => choice.source === name)?.choice.file;
    if (typeof path !== 'string' || !path.startsWith('/') || typeof file !== 'string') continue;
    const tree = outerFirst.findLast((one) => isBelow(path, one.path));
    if (tree !== undefined && (await isInside(path, tree, place, signal)))
      replaced.push({ path, by: `${restored}/${file}`, made: true });
    else hidden.push(path);
  }
  return { sockets: liveSockets(services), replaced, hidden };
}

/** Both are there, and it is no database that stands alone. */
async function isReplaceable(
  { path, by }: Pick<Replaced, 'path' | 'by'>,
  { host }: ScratchPlace,
  signal: AbortSignal,
): Promise<boolean> {
  const live = await host.files.status(path, signal);
  const copy = await host.files.status(by, signal);
  if (live === null || copy === null) return false;
  if (copy.type !== 'file') return true;
  const args = ['-c', `${SQLITE_HEADER.length}`, '--', by];
  return (await host.run({ program: 'head', args }, { signal })).stdout !== SQLITE_HEADER;
}

/** Whether a file of the tree has its place in what was restored of it: a symbolic link leads out of that, to live files. */
async function isInside(
  path: string,
  tree: Replaced,
  { host: { files } }: ScratchPlace,
  signal: AbortSignal,
): Promise<boolean> {
  const copy = `${tree.by}/${trimSlashes(path).slice(trimSlashes(tree.path).length + 1)}`;
  if ((await files.status(parentOf(copy), signal))?.type !== 'directory') return false;
  if ((await files.realPath(parentOf(copy), signal)) !== parentOf(copy)) return false;
  return (await files.status(copy, signal))?.type !== 'link';
}
