import type { Finished } from '../../../ports/host.ts';
import type { Difference } from '../../../ports/snapshotter.ts';
import { byPath, difference, isChanged, type Listing } from '../pool/listing.ts';
import type { Pool } from '../pool/pool.ts';
import { refusal } from '../pool/program.ts';
import * as args from './args.ts';
import { lookUp, type Names } from './look-up.ts';
import { readTouched } from './send-stream.ts';
import { withReadOnly } from './temporary.ts';

/** What changed between two subvolumes, by their generations: only what was changed is read. One that can be written to
 *  is compared as it is now, by a snapshot for the moment. Memory grows with what changed.
 *  @param live true where `after` is known to be one that can be written to */
export async function* diff(
  pool: Pool,
  before: string,
  after: string,
  live: boolean,
  signal: AbortSignal,
): AsyncIterable<Difference> {
  await using frozen = await withReadOnly(
    pool,
    [
      { path: before, live: false },
      { path: after, live },
    ],
    signal,
  );
  const [from, to] = frozen.paths as [string, string];
  const { paths, written } = await touchedBetween(pool, from, to, signal);
  const names = withAncestors(paths);
  const [old, now] = await Promise.all([present(pool, from, names, signal), present(pool, to, names, signal)]);
  const trees = changedFolders(paths, old, now);
  const [oldTrees, nowTrees] = await Promise.all([
    lookUp(pool.host, from, trees.old, 'trees', signal),
    lookUp(pool.host, to, trees.now, 'trees', signal),
  ]);
  for (const [path, listing] of oldTrees) old.set(path, listing);
  for (const [path, listing] of nowTrees) now.set(path, listing);
  const rows = [...new Set([...paths, ...oldTrees.keys(), ...nowTrees.keys()])].map((path) => ({ path }));
  for (const { path } of rows.toSorted(byPath)) {
    const found = judge(path, old.get(path), now.get(path), written);
    if (found !== null) yield found;
  }
}

/** Every path that the stream between two snapshots names, and those of them that were written. */
async function touchedBetween(pool: Pool, from: string, to: string, signal: AbortSignal) {
  const [program, ...sending] = args.send(from, to);
  const [paths, written] = [new Set<string>(), new Set<string>()];
  let refused: Finished | null = null;
  const onFinished = (finished: Finished): void => {
    if (finished.exitCode === 1) refused = finished;
  };
  try {
    for await (const touched of readTouched(pool.host.read([{ program, args: sending }], { signal, onFinished })))
      for (const path of touched.paths) {
        paths.add(path);
        if (touched.written) written.add(path);
      }
  } catch (error) {
    throw refused === null || signal.aborted ? error : refusal(refused, from);
  }
  return { paths, written };
}

function withAncestors(paths: ReadonlySet<string>): ReadonlySet<string> {
  const all = new Set(paths);
  for (const path of paths)
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) all.add(path.slice(0, at));
  return all;
}

/** What of these is in a subvolume. What would be found only through a symbolic link is elsewhere, and left out. */
async function present(pool: Pool, root: string, names: Names, signal: AbortSignal): Promise<Map<string, Listing>> {
  const found = await lookUp(pool.host, root, names, 'alone', signal);
  const isInFolders = (path: string): boolean => {
    const at = path.lastIndexOf('/');
    if (at < 0) return true;
    const parent = path.slice(0, at);
    return found.get(parent)?.type === 'd' && isInFolders(parent);
  };
  return new Map([...found].filter(([path]) => isInFolders(path)));
}

/** Folders of which all that is in them has to be looked at: they went, came, or are others under the same name. */
function changedFolders(
  paths: ReadonlySet<string>,
  old: ReadonlyMap<string, Listing>,
  now: ReadonlyMap<string, Listing>,
): { readonly old: ReadonlySet<string>; readonly now: ReadonlySet<string> } {
  const isOther = (one: Listing | undefined, other: Listing | undefined): boolean =>
    one?.type === 'd' && (other?.type !== 'd' || other.inode !== one.inode);
  const among = [...paths];
  return {
    old: new Set(among.filter((path) => isOther(old.get(path), now.get(path)))),
    now: new Set(among.filter((path) => isOther(now.get(path), old.get(path)))),
  };
}

/** A file that took another's name may hold anything, whatever its size and time: it counts as modified. */
function judge(path: string, old: Listing | undefined, now: Listing | undefined, written: ReadonlySet<string>) {
  if (now === undefined) return old === undefined ? null : difference(path, 'removed', old);
  if (old === undefined) return difference(path, 'added', now);
  const replaced = now.type !== 'd' && now.inode !== old.inode;
  return replaced || written.has(path) || isChanged(old, now) ? difference(path, 'modified', now) : null;
}
