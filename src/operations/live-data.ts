import type { ServiceDefinition } from '../domain/definitions.ts';
import { isBelow } from '../domain/tree-path.ts';
import type { LiveData } from '../ports/scratch.ts';
import type { Context } from './context.ts';
import type { Drilling } from './drill-items.ts';
import type { Scene } from './drill-scene.ts';
import { liveSockets, settingOf } from './live-sockets.ts';

/** What is live of a service, for checks of its copy. A tree is replaced by what was restored of it. A database file is so
 *  only in such a tree: elsewhere its log would be written beside the live one, so that it is hidden. Where there is no
 *  live folder nothing can be put in its place. */
export async function liveDataOf(
  { sources }: ServiceDefinition,
  drilled: readonly Drilling[],
  { place, restored }: Scene,
  { services }: Pick<Context, 'services'>,
  signal: AbortSignal,
): Promise<LiveData> {
  const trees: LiveData['replaced'][number][] = [];
  const hidden: string[] = [];
  const isThere = async (path: string): Promise<boolean> => (await place.host.files.status(path, signal)) !== null;
  for (const { path, stored } of drilled.flatMap(({ choice }) => choice.item.roots ?? [])) {
    const by = `${restored}/${stored}`;
    const apart = path.startsWith('/') && !isBelow(place.folder, path) && !isBelow(path, place.folder);
    if (!apart) continue;
    if ((await isThere(by)) && (await isThere(path))) trees.push({ path, by, made: false });
    else hidden.push(path);
  }
  const replaced = trees.toSorted((left, right) => left.path.length - right.path.length);
  for (const { name, kind, settings } of sources) {
    const path = settingOf(kind, settings);
    const file = drilled.find(({ choice }) => choice.source === name)?.choice.file;
    if (typeof path !== 'string' || !path.startsWith('/') || typeof file !== 'string') continue;
    if (trees.some((tree) => isBelow(path, tree.path))) replaced.push({ path, by: `${restored}/${file}`, made: true });
    else hidden.push(path);
  }
  return { sockets: liveSockets(services), replaced, hidden };
}
